// Who started this process and ends without a word when it is killed: the launcher, and npm or npx with the shell that it puts
// between, which pass no signal on. Called by running.ts; the choice of whom to watch is pure. A start that is meant to be
// outlived (systemd, nohup, setsid, a script that puts it into the background) has nobody to watch.
import { readFileSync } from 'node:fs';

/** A process as its children see it. */
export interface Starter {
  parent: number;
  session: number;
  /** Its command line. */
  words: readonly string[];
}
export type Look = (pid: number) => Starter | undefined;

/** ms between two looks. */
const EVERY = 500;

/**
 * This process and those above it whose end is its own, each the child of the next; one alone when there are none.
 * @param launcher what the environment says of the launcher's pid
 */
export function startersOf(pid: number, launcher: string | undefined, look: Look): number[] {
  const chain = [pid];
  const session = look(pid)?.session;
  for (;;) {
    const parent = look(chain.at(-1) ?? pid)?.parent ?? 0;
    const above = look(parent);
    if (chain.length === 1 && launcher === String(parent)) chain.push(parent);
    else if (!above || above.session !== session) return chain;
    else if (isNpm(above)) chain.push(parent);
    else {
      const npm = look(above.parent);
      if (!runsInFront(above) || !npm || !isNpm(npm) || npm.session !== session) return chain;
      chain.push(parent, above.parent);
    }
  }
}

/** True when one of the chain is gone: then the one below it has another parent. */
export function orphaned(chain: readonly number[], look: Look): boolean {
  return chain.some((pid, i) => i + 1 < chain.length && look(pid)?.parent !== chain[i + 1]);
}

/** Those of this process, as they are now. */
export const ownStarters = (): number[] => startersOf(process.pid, process.env.PENSTOCK_LAUNCHER, processes);

/** Calls once, when one of the chain has gone. Never keeps the process alive. */
export function whenOrphaned(chain: readonly number[], then: () => void): void {
  if (chain.length === 1) return;
  const looking = setInterval(() => {
    if (!orphaned(chain, processes)) return;
    clearInterval(looking);
    then();
  }, EVERY);
  looking.unref();
}

/** npm and npx set their own title: `npm exec penstock run`. */
const isNpm = ({ words }: Starter): boolean => /^np[mx]( |$)/.test(words[0] ?? '');

/** npm's `sh -c SCRIPT`, whose script waits for what it starts. */
const runsInFront = ({ words: [shell = '', flag, script = ''] }: Starter): boolean =>
  /^(.*\/)?(ba|da|z|k)?sh$/.test(shell) &&
  flag === '-c' &&
  !/(^|[^&>])&($|[^&>])|\b(nohup|setsid|disown)\b/.test(script);

/** Linux' process table; elsewhere there is no more than the own parent. */
const processes: Look = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before the last bracket may hold anything.
    const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return { parent: Number(parent), session: Number(session), words };
  } catch {
    return pid === process.pid ? { parent: process.ppid, session: 0, words: [] } : undefined;
  }
};
