// The design point through the whole chain: ten Modbus devices of 1,000 tags each, read every second, into alarms, broker,
// journal and history, with one MQTT subscriber and one page listening. Prints one line a figure. The devices are served
// by this process, a float that moves in every register pair.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { eventually, get, listen, scratch, startGateway, stream } from '../test/rig.ts';
import type { Dict } from '../web/wire.ts';

const DEVICES = 10;
const TAGS = 1000;
const SECONDS = Number(process.env.PENSTOCK_BENCH_SECONDS ?? 60);

/** Answers every read of holding registers (function 3) with floats that drift by hundredths. */
function serveFloats(): Promise<Server> {
  const server = createServer({ noDelay: true }, (socket) => {
    let rest = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= 12; rest = rest.subarray(12)) {
        const [address, count] = [rest.readUInt16BE(8), rest.readUInt16BE(10)];
        const answer = Buffer.alloc(9 + count * 2);
        rest.copy(answer, 0, 0, 8);
        answer.writeUInt16BE(3 + count * 2, 4);
        answer.writeUInt8(count * 2, 8);
        const now = Date.now() / 1000;
        for (let i = 0; i + 1 < count; i += 2)
          answer.writeFloatBE(
            Math.round(6000 + 1000 * Math.sin((now + address + i) / 40) + Math.random() * 8) / 100,
            9 + i * 2,
          );
        socket.write(answer);
      }
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function writePlant(config: string, ports: readonly number[]): void {
  mkdirSync(join(config, 'devices'), { recursive: true });
  const assets: string[] = [];
  ports.forEach((port, d) => {
    const tags: string[] = [];
    for (let i = 0; i < TAGS; i++) {
      const asset = `hall/unit-${d}-${Math.floor(i / 10)}`;
      if (i % 10 === 0) assets.push(`  - { path: ${asset}, name: Unit ${d}-${i / 10} }`);
      tags.push(`  - { tag: ${asset}/value-${i % 10}, register: hr:${i * 2}, encoding: float32 }`);
    }
    const head = `device: unit-${d}\nprotocol: modbus\nconnection: { host: 127.0.0.1, port: ${port} }\ninterval: 1s\ntags:\n`;
    writeFileSync(join(config, 'devices', `unit-${d}.yaml`), `${head}${tags.join('\n')}\n`);
  });
  writeFileSync(join(config, 'plant.yaml'), `sites:\n  - { id: hall, name: Hall }\nassets:\n${assets.join('\n')}\n`);
}

async function metrics(http: string): Promise<(name: string) => number> {
  const lines = (await (await fetch(`${http}/metrics`)).text()).split('\n');
  return (name) =>
    lines
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

const folder = scratch();
const servers = await Promise.all(Array.from({ length: DEVICES }, serveFloats));
const config = join(folder.path, 'config');
writePlant(
  config,
  servers.map((server) => (server.address() as AddressInfo).port),
);
const gateway = await startGateway('run', ['--config', config], join(folder.path, 'data'), {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
  NODE_OPTIONS: process.env.PENSTOCK_BENCH_NODE_OPTIONS ?? '--max-semi-space-size=8 --max-old-space-size=1024',
});
try {
  console.log(`load of the machine before: ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`);
  const { tags } = await get<Dict>(`${gateway.http}/api/v1/dict`);
  await eventually(
    () => metrics(gateway.http),
    (of) => of('penstock_journal_journalled_total') > 3 * tags.length,
    60_000,
  );
  const page = stream(`${gateway.http}/api/v1/stream`);
  const subscriber = await listen(gateway.mqttUrl, 'penstock/demo/hall/+/_data/#');
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const before = await metrics(gateway.http);
  const heard = subscriber.heard.length;
  const begun = performance.now();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  const after = await metrics(gateway.http);
  const seconds = (performance.now() - begun) / 1000;
  const rate = (name: string): number => (after(name) - before(name)) / seconds;
  const lag = (quantile: string): string =>
    (after(`penstock_event_loop_lag_seconds{quantile="${quantile}"}`) * 1000).toFixed(1);
  console.log(
    `${tags.length} tags: ${rate('penstock_journal_journalled_total').toFixed(0)} readings/s journalled, ` +
      `${((subscriber.heard.length - heard) / seconds).toFixed(0)} messages/s heard, 1 page`,
  );
  console.log(
    `main delay p50 ${lag('0.50')} ms, p99 ${lag('0.99')} ms, max ${(after('penstock_event_loop_lag_max_seconds') * 1000).toFixed(1)} ms; ` +
      `CPU ${(rate('process_cpu_seconds_total') * 100).toFixed(0)} % of a core, ` +
      `RSS ${(after('process_resident_memory_bytes') / 1e6).toFixed(0)} MB`,
  );
  console.log(
    `history is ${after('penstock_journal_backlog_samples').toFixed(0)} samples behind; journal ${(after('penstock_journal_bytes') / 1e6).toFixed(1)} MB`,
  );
  page.close();
  await subscriber.close();
} finally {
  await gateway.stop();
  for (const server of servers) server.close();
  folder.remove();
}
process.exit(0);
