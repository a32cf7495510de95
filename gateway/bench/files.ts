// Files in and out of a running gateway: two days of 64 tags at 30 s as NDJSON and as CSV through import, and back through
// export; main's delay and the daemon's memory meanwhile. Run by hand or by the bench command, one line a figure.
import { spawn } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importFile } from '../cli/import.ts';
import { eventually, get, root, scratch, startGateway } from '../test/rig.ts';
import { scrape } from './threads.ts';

const TAGS = 64;
const ROUNDS = 5760;
const STEP = 30_000;
const total = TAGS * ROUNDS;
const folder = scratch();
const config = join(folder.path, 'config');
const data = join(folder.path, 'data');
mkdirSync(join(config, 'devices'), { recursive: true });
const ids = Array.from({ length: TAGS }, (_none, k) => `north/pump-${k}/flow`);
writeFileSync(
  join(config, 'plant.yaml'),
  `sites: [{ id: north, name: North }]\nmetrics: { flow: { name: Flow } }\nassets:\n` +
    ids.map((_id, k) => `  - { path: north/pump-${k}, metrics: { flow: { range: [0, 50] } } }\n`).join(''),
);
writeFileSync(
  join(config, 'devices', 'plc.yaml'),
  `device: plc\nprotocol: modbus\nconnection: { host: 127.0.0.1, port: 1 }\ntags:\n` +
    ids.map((id, k) => `  - { tag: ${id}, register: hr:${4 * k}, encoding: float64 }\n`).join(''),
);
const end = Math.floor(Date.now() / STEP) * STEP;
const value = (i: number): number => Math.round((20 + Math.sin(i / 1e4) * 5) * 1000) / 1000;
const rows = (first: number, line: (tag: string, t: string, i: number) => string): string[] =>
  Array.from({ length: total }, (_none, i) => {
    const t = new Date(first + Math.floor(i / TAGS) * STEP).toISOString();
    return line(ids[i % TAGS] ?? '', t, i);
  });
const from = end - ROUNDS * STEP;
const ndjson = join(folder.path, 'past.ndjson');
writeFileSync(ndjson, rows(from, (tag, t, i) => `{"tag":"${tag}","timestamp":"${t}","value":${value(i)}}`).join('\n'));
const csv = join(folder.path, 'past.csv');
const before = rows(from - ROUNDS * STEP, (tag, t, i) => `${tag},${t},${value(i)}`);
writeFileSync(csv, ['tag,timestamp,value', ...before].join('\n'));

const gateway = await startGateway('run', ['--config', config], data);
const say = async (what: string, ms: number, bytes: number, samples: number): Promise<void> => {
  const now = await scrape(gateway.http);
  console.log(
    `${what}: ${(ms / 1000).toFixed(2)} s, ${Math.round(samples / ms)} k samples/s, ${(bytes / 1000 / ms).toFixed(1)} MB/s; ` +
      `main delay p99 ${(now('penstock_event_loop_lag_seconds', '{quantile="0.99"}') * 1000).toFixed(1)} ms, ` +
      `max ${(now('penstock_event_loop_lag_max_seconds') * 1000).toFixed(1)} ms; ` +
      `RSS ${(now('process_resident_memory_bytes') / 1e6).toFixed(0)} MB`,
  );
};
try {
  await scrape(gateway.http);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await say('nothing', 3000, 0, 0);
  // As a page asks: all that the file says of the last tag.
  const asked = async (from: number): Promise<number> => {
    const range = { from: new Date(from).toISOString(), to: new Date(from + ROUNDS * STEP).toISOString(), width: '1h' };
    const query = new URLSearchParams({ tags: ids.at(-1) ?? '', ...range });
    const { series } = await get<{ series: { good: number[] }[] }>(`${gateway.http}/api/v1/history/buckets?${query}`);
    return series[0]?.good.reduce((sum, n) => sum + n, 0) ?? 0;
  };
  for (const [name, file, first] of [
    ['import of NDJSON', ndjson, from],
    ['import of CSV', csv, from - ROUNDS * STEP],
  ] as const) {
    await scrape(gateway.http);
    const began = performance.now();
    const { accepted } = await importFile({ data, file, origin: 'import' });
    if (accepted !== total) throw new Error(`${accepted} of ${total} accepted`);
    await say(`${name}, durable`, performance.now() - began, statSync(file).size, total);
    await eventually(
      () => asked(first),
      (good) => good === ROUNDS,
      60_000,
    );
    console.log(`${name}, queryable: ${((performance.now() - began) / 1000).toFixed(2)} s`);
  }
  for (const format of ['csv', 'ndjson']) {
    const out = join(folder.path, `out.${format}`);
    await scrape(gateway.http);
    const began = performance.now();
    const range = ['--from', new Date(from - ROUNDS * STEP).toISOString(), '--to', new Date(end).toISOString()];
    const args = ['export', '--data', data, '--format', format, '--out', out, ...range];
    const child = spawn(process.execPath, [join(root, 'gateway/main.ts'), ...args], { stdio: 'inherit' });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`the export ended with ${String(code)}`);
    await say(`export of ${format}`, performance.now() - began, statSync(out).size, 2 * total);
  }
} finally {
  await gateway.stop();
  folder.remove();
}
