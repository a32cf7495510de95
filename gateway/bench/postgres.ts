// Measures forwarding into a real PostgreSQL with durable commits, as Debian sets it up: rows a second from decoded frames
// to the last commit, the same rows once more (a resend), and the gateway's processor time. Needs PostgreSQL's server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresForwarder } from '../historian/postgres/forwarder.ts';
import { contextOf, password, startPostgres } from '../historian/postgres/testing.ts';
import type { Frame } from '../model.ts';

const TAGS = 1000;
const SECONDS = Number(process.argv[2] ?? 600);
/** Frames of a write: what a pump gives with 256 KiB. */
const WRITE = 20;

const server = await startPostgres(['shared_buffers=128MB']);
const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
try {
  const secret = join(dir, 'secret');
  writeFileSync(secret, password);
  const tags = Array.from({ length: TAGS }, (_, i) => ({
    id: `plant-${i % 4}/area-${i % 16}/pump-${i >> 2}/flow-${i % 4}`,
    type: 'double' as const,
  }));
  const url = `postgres://127.0.0.1:${server.port}/postgres`;
  const settings = { url, user: 'penstock', passwordFile: secret, passwordCommand: '', tls: 'off', tlsCa: '' } as const;
  const forwarder = postgresForwarder.create(settings, contextOf(dir, tags));
  const begin = Date.UTC(2026, 0, 1) * 1000;
  const frame = (second: number): Frame => {
    const now = begin + second * 1_000_000;
    const samples = tags.map((_, tag) => {
      const t = now + ((tag * 7919) % 1000);
      return { tag, t, receivedAt: now, value: Math.sin(tag + second) * 100, status: 0, flags: 0 };
    });
    return { seq: second + 1, revision: 1, origin: 'live', source: 'plc', samples, events: [] };
  };
  const signal = new AbortController().signal;
  await forwarder.write([frame(-1)], signal);
  const run = async (): Promise<{ rate: number; cpu: number }> => {
    let spent = 0;
    const cpu = process.cpuUsage();
    for (let second = 0; second < SECONDS; second += WRITE) {
      const frames = Array.from({ length: Math.min(WRITE, SECONDS - second) }, (_, i) => frame(second + i));
      const began = performance.now();
      await forwarder.write(frames, signal);
      spent += performance.now() - began;
    }
    const { user, system } = process.cpuUsage(cpu);
    const rows = TAGS * SECONDS;
    return { rate: (rows / spent) * 1000, cpu: (user + system) / rows };
  };
  const first = await run();
  const again = await run();
  const [row] = await server.sql(
    "SELECT count(*)::int AS n, pg_total_relation_size('readings_p20260101') AS bytes FROM readings",
  );
  const rows = TAGS * SECONDS;
  console.log(
    `forwarded    ${Math.round(first.rate)} rows/s (${rows} rows, durable commits), ${first.cpu.toFixed(2)} µs of the gateway's processor a row, its making included`,
  );
  console.log(
    `sent again   ${Math.round(again.rate)} rows/s, ${(again.rate / first.rate).toFixed(2)} of the first time`,
  );
  console.log(
    `stored       ${String(row?.n)} of ${rows + TAGS}, ${(Number(row?.bytes) / rows).toFixed(0)} B a row, indexes included`,
  );
  if (row?.n !== rows + TAGS) process.exitCode = 1;
  await forwarder.close();
} finally {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
}
