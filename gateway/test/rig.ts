// A test rig for whole-system tests: the real simulators and the real gateway as processes of their own, with their
// own ports and data folder, and what an outsider would use to look at them: HTTP, SSE, MQTT.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import type { MqttClient } from 'mqtt';
import { simulatorVariable } from '../cli/simulators.ts';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Process {
  child: ChildProcess;
  /** Everything it wrote to stderr. */
  errors: string[];
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** First line of stdout for which `pick` gives something; rejects when the process ends or time is up. */
  line<T>(pick: (line: string) => T | undefined, within?: number): Promise<T>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function startProcess(script: string, args: string[], env: Record<string, string> = {}): Process {
  const child = spawn(process.execPath, [join(root, script), ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', VITEST: '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const errors: string[] = [];
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const woken = () => waiting.forEach((wake) => wake());
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  createInterface({ input: child.stdout }).on('line', (line) => (lines.push(line), woken()));
  let ended = false;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('exit', (code, signal) => {
      ended = true;
      resolve({ code, signal });
      woken();
    }),
  );
  return {
    child,
    errors,
    exited,
    line(pick, within = 110_000) {
      let next = 0;
      return new Promise((resolve, reject) => {
        const look = () => {
          for (; next < lines.length; next++) {
            const found = pick(lines[next] ?? '');
            if (found !== undefined) return done(() => resolve(found));
          }
          if (ended) done(() => reject(new Error(`${script} ended: ${errors.slice(-15).join('\n')}`)));
        };
        const timer = setTimeout(
          () =>
            done(() => reject(new Error(`${script} said nothing in ${within} ms: ${errors.slice(-15).join('\n')}`))),
          within,
        );
        const done = (settle: () => void) => {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        };
        waiting.add(look);
        look();
      });
    },
    async stop(signal = 'SIGTERM') {
      if (!ended) child.kill(signal);
      const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(hard);
    },
  };
}

export interface Gateway extends Process {
  http: string;
  mqttUrl: string;
  data: string;
}

/** Starts `penstock run` (or `demo`) and waits for its ready line. */
export async function startGateway(
  command: 'run' | 'demo',
  args: string[],
  data: string,
  env: Record<string, string> = {},
): Promise<Gateway> {
  const process_ = startProcess(
    'gateway/main.ts',
    [command, '--data', data, '--port', '0', '--mqtt-port', '0', ...args],
    env,
  );
  const at = await process_.line((line) => /^ready (http:\S+) (mqtt:\S+)$/.exec(line) ?? undefined);
  return { ...process_, http: at[1] ?? '', mqttUrl: at[2] ?? '', data };
}

export interface SimulatorProcess extends Process {
  ports: Record<string, number>;
  /** PENSTOCK_SIM_… for the config. */
  env: Record<string, string>;
}

export async function startSimulator(args: string[]): Promise<SimulatorProcess> {
  const process_ = startProcess('simulators/main.ts', ['--with-parent', ...args]);
  const ports = await process_.line((line) => (json(line) as { ports?: Record<string, number> } | undefined)?.ports);
  const env = Object.fromEntries(Object.entries(ports).map(([site, port]) => [simulatorVariable(site), String(port)]));
  return { ...process_, ports, env };
}

/** A scratch folder, removed by the returned `remove`. */
export function scratch(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'penstock-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function get<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

export interface Stored {
  /** µs. */
  t: number;
  /** Past 2^53 as text. */
  value: number | boolean | string | null;
  status: number;
}
/** What a running gateway's history holds of a tag, to the bit but for integers past 2^53. Times are µs. */
export async function historyOf(
  http: string,
  tag: string,
  from = 0,
  to = Date.now() * 1000 + 86_400e6,
): Promise<Stored[]> {
  const time = (t: number) =>
    `${new Date(Math.floor(t / 1000)).toISOString().slice(0, -1)}${String(t % 1000).padStart(3, '0')}Z`;
  const asked = new URLSearchParams({ format: 'ndjson', tags: tag, from: time(from), to: time(to) });
  const response = await fetch(`${http}/api/v1/export.csv?${asked}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`the history of ${tag}: ${response.status} ${text}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { timestamp, value, status = 0 } = JSON.parse(line) as Omit<Stored, 't'> & { timestamp: string };
      const [, whole = '', below = ''] = /^(.{23})(\d*)Z$/.exec(timestamp) ?? [];
      return { t: Date.parse(`${whole}Z`) * 1000 + Number(below), value, status };
    });
}

/** Asks until the answer satisfies; the last answer is in the error when time is up. */
export async function eventually<T>(
  ask: () => Promise<T> | T,
  satisfied: (answer: T) => boolean,
  within = 30_000,
): Promise<T> {
  const end = performance.now() + within;
  for (;;) {
    const answer = await ask();
    if (satisfied(answer)) return answer;
    if (performance.now() > end)
      throw new Error(`not within ${within} ms; last: ${JSON.stringify(answer)?.slice(0, 600)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export interface Heard {
  topic: string;
  text: string;
  retained: boolean;
  at: number;
}

/** Subscribes with mqtt.js and keeps everything heard. */
export async function listen(
  url: string,
  filter: string,
): Promise<{ heard: Heard[]; client: MqttClient; close(): Promise<void> }> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  // A gateway that is killed resets the connection; that is what some tests do.
  client.on('error', () => {});
  const heard: Heard[] = [];
  client.on('message', (topic, payload, packet) =>
    heard.push({ topic, text: payload.toString(), retained: packet.retain, at: Date.now() }),
  );
  await client.subscribeAsync(filter, { qos: 0 });
  return { heard, client, close: () => client.endAsync(true) };
}

export interface StreamEvent {
  id: string;
  event: string;
  data: Record<string, unknown>;
  at: number;
}

/** Reads an SSE stream into a list until closed. */
export function stream(
  url: string,
  headers: Record<string, string> = {},
): { events: StreamEvent[]; closed: Promise<void>; close(): void } {
  const abort = new AbortController();
  const events: StreamEvent[] = [];
  const closed = (async () => {
    const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: abort.signal });
    let rest = '';
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) {
      rest += decoder.decode(part as Uint8Array, { stream: true });
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) =>
          block
            .split('\n')
            .find((row) => row.startsWith(`${name}:`))
            ?.slice(name.length + 1)
            .trim();
        const data = field('data');
        if (data)
          events.push({
            id: field('id') ?? '',
            event: field('event') ?? 'message',
            data: json(data) as Record<string, unknown>,
            at: Date.now(),
          });
      }
    }
  })().catch(() => {});
  return { events, closed, close: () => abort.abort() };
}

export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
