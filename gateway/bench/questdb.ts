// Measures forwarding into a real QuestDB with durable commits: rows a second from the journal's files to the last
// acknowledged row, processor time on both sides, and what a day's backlog would take. Needs Java and Maven.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { fixed } from '../historian/embedded/calendar.ts';
import { credentials } from '../historian/credentials.ts';
import { questdbForwarder } from '../historian/questdb/forwarder.ts';
import { questdbHistory } from '../historian/questdb/reader.ts';
import { contextOf, tagOf, testServer } from '../historian/questdb/testing.ts';
import { wireOf } from '../historian/questdb/wire.ts';
import { encodeFrame } from '../journal/testing.ts';
import { readHead } from '../journal/head.ts';
import { pump, sourceOf } from '../journal/pump.ts';
import { openSegments } from '../journal/segments.ts';
import type { ForwardTag } from '../consumer.ts';

const TAGS = 1000;
const SECONDS = Number(process.argv[2] ?? 2000);
/** One clock tick of /proc, ms. */
const TICK = 10;

const tags = Array.from({ length: TAGS }, (_, i) => tagOf(i, `plant-${i % 4}/area-${i % 16}/pump-${i >> 2}/flow`));
const server = await testServer({ java: ['-XX:+UseParallelGC'] });
try {
  const log = openSegments({ dataDir: server.dir, cap: 1e9 });
  log.add('questdb', log.start);
  const begin = Date.UTC(2026, 0, 1) * 1000;
  let bytesJournalled = 0;
  for (let second = 0; second < SECONDS; second++) {
    const now = begin + second * 1_000_000;
    const samples = tags.map(({ index }) => {
      const t = now + ((index * 7919) % 1000);
      return { tag: index, t, at: t, receivedAt: now, value: Math.sin(index + second) * 100, status: 0, flags: 0 };
    });
    const bytes = encodeFrame({ origin: 'live', source: 'plc', samples, events: [] }, log.start + second, 1);
    const head = readHead(bytes);
    if (head.ok) log.append(bytes, head.meta);
    bytesJournalled += bytes.length;
    if (second % 100 === 99) await log.sync();
  }
  await log.sync();

  const context = contextOf(server.dir, tags);
  const { url, user, passwordFile } = server;
  const settings = { url, user, passwordFile, passwordCommand: '' };
  const forwarder = questdbForwarder.create(settings, context);
  // Tables made and Java warm: what a running pair does all day.
  await forwarder.write([], new AbortController().signal);
  const stop = new AbortController();
  const sending = pump({
    source: sourceOf(log, 'questdb'),
    consumer: forwarder,
    clock: systemClock,
    bytes: 256 * 1024,
    pause: 0,
  });
  const ticks = (): number => {
    const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  };
  const cpu = process.cpuUsage();
  const java = ticks();
  const began = performance.now();
  const running = sending.run(stop.signal);
  while (log.account('questdb').backlog.samples > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const seconds = (performance.now() - began) / 1000;
  const { user: own, system } = process.cpuUsage(cpu);
  const rows = TAGS * SECONDS;
  stop.abort();
  await running;
  await server.applied();
  const applied = (performance.now() - began) / 1000;
  const [{ count } = {}] = await server.sql('SELECT count() AS count FROM readings');
  const rate = rows / seconds;
  console.log(
    `forwarded    ${Math.round(rate)} rows/s (${rows} rows, durable commits; bar 100000); in the tables after ${applied.toFixed(1)} s`,
  );
  console.log(`stored       ${String(count)} of ${rows}`);
  console.log(`gateway      ${((own + system) / rows).toFixed(2)} µs of processor a row`);
  console.log(`QuestDB      ${(((ticks() - java) * 1000) / rows).toFixed(2)} µs of processor a row`);
  const day = 86_400 * TAGS;
  console.log(
    `a day of ${TAGS} tags at 1 Hz: ${(day / rate / 60).toFixed(1)} min unthrottled, extrapolated from this part; at the default rate of 10000 samples/s beside live ones ${(day / 10_000 / 3600).toFixed(1)} h`,
  );
  console.log(`journal      ${(bytesJournalled / rows).toFixed(1)} B a reading`);
  const secrets = credentials(settings);
  const reader = questdbHistory(wireOf({ url, wire: `postgres://127.0.0.1:${server.pg.port}/qdb` }), secrets);
  const end = begin + SECONDS * 1_000_000;
  const median = async (question: () => Promise<unknown>): Promise<string> => {
    const times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const asked = performance.now();
      await question();
      times.push(performance.now() - asked);
    }
    return `${(times.sort((a, b) => a - b)[3] as number).toFixed(0)} ms`;
  };
  const sixteen = tags.slice(0, 16);
  const page = await median(() => reader.raw(sixteen[0] as ForwardTag, begin, end, 1000));
  const { t } = fixed(begin, end, 300_000_000);
  const figures = (held: boolean) => median(() => reader.figures(sixteen, { from: begin, to: end, t, held }));
  const [buckets, means] = [await figures(false), await figures(true)];
  console.log(
    `read back    a page of 1000 samples ${page}, 5-minute buckets of 16 tags over all of it ${buckets}, with means over time ${means}`,
  );
  await reader.close();
  if (Number(count) !== rows || sending.health().failures > 0) process.exitCode = 1;
  await forwarder.close();
  await log.close();
} finally {
  await server.remove();
  rmSync(join(server.dir), { recursive: true, force: true });
}
