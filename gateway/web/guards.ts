// Who may talk to the web server: where it binds, which Host names it answers to, which writes it takes.
// Used by web.ts; the rules stand until there are users, and keep a page elsewhere from reaching a gateway on this machine.
import { isIP } from 'node:net';

const loopback = ['localhost', '127.0.0.1', '::1'];

/** A sentence for the engineer when the address is wider than loopback and nobody allowed that; undefined when it is fine. */
export function bindingFault(what: string, host: string, insecure: boolean, setting: string): string | undefined {
  if (insecure || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return undefined;
  return `${what} would be reachable at ${host} by anybody: there are no users yet. Bind 127.0.0.1, or set ${setting}: true if the network itself is trusted`;
}

/** The name of a Host header without its port; undefined when it is not one. */
export function hostName(header: string | undefined): string | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s/@]+)(?::\d{1,5})?$/.exec(header ?? '');
  return match?.[1]?.replace(/^\[|\]$/g, '').toLowerCase();
}

/** A page that another site's name was pointed here for (DNS rebinding) comes with that name: not ours, not answered. */
export function hostAllowed(
  header: string | undefined,
  settings: { host: string; hosts: readonly string[]; insecure: boolean },
): boolean {
  const name = hostName(header);
  if (name === undefined) return false;
  if (loopback.includes(name) || name === settings.host.toLowerCase()) return true;
  if (settings.hosts.some((host) => host.toLowerCase() === name)) return true;
  // By address nothing can be rebound; names must be listed.
  return settings.insecure && isIP(name) !== 0;
}

/** Writes come from our own page, or from a program, which sends no Origin. */
export function originAllowed(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === new URL(`http://${host ?? ''}`).host;
  } catch {
    return false;
  }
}
