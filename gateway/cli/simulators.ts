// Runs the bundled simulators as a process of their own and reads what they say: their ports, their written history.
// Called by demo; the simulators end with their parent, whatever ends it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

export interface Simulators {
  pid: number;
  /** Environment that hands each site's port to the config: PENSTOCK_SIM_<SITE>. */
  env: Record<string, string>;
  /** The written history file, when one was asked for. */
  history: Promise<{ file: string; readings: number }>;
  /** Rejects when the process ends although nobody asked it to. */
  failed: Promise<never>;
  close(): Promise<void>;
}

/** @param root folder of the repository. @param args options of `npm run simulate`. */
export async function startSimulators(root: string, args: string[]): Promise<Simulators> {
  const child = spawn(process.execPath, [join(root, 'simulators', 'main.ts'), '--with-parent', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let closing = false;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const failed = ended.then((how) =>
    closing ? new Promise<never>(() => {}) : Promise.reject(new Error(`the simulators ended (${how})`)),
  );
  failed.catch(() => {});

  let ready: (ports: Record<string, number>) => void = () => {};
  let written: (history: { file: string; readings: number }) => void = () => {};
  const ports = new Promise<Record<string, number>>((resolve) => (ready = resolve));
  const history = new Promise<{ file: string; readings: number }>((resolve) => (written = resolve));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = parsed(line);
    if (said?.ports) ready(said.ports);
    if (said?.history) written(said.history);
  });
  const known = await Promise.race([ports, failed]);
  return {
    pid: child.pid ?? 0,
    env: Object.fromEntries(Object.entries(known).map(([site, port]) => [simulatorVariable(site), String(port)])),
    history,
    failed,
    async close() {
      if (closing) return;
      closing = true;
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(hard);
    },
  };
}

/** The variable that carries a simulated site's port into the config. */
export function simulatorVariable(site: string): string {
  return `PENSTOCK_SIM_${site.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
}

function parsed(
  line: string,
): { ports?: Record<string, number>; history?: { file: string; readings: number } } | undefined {
  try {
    return JSON.parse(line) as { ports?: Record<string, number> };
  } catch {
    return undefined;
  }
}
