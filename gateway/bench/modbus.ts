// What a Modbus read costs: 125 registers at a time from the simulator's server in a process of its own, over 1 and
// over 4 connections. `node gateway/node.mjs gateway/bench/modbus.ts [seconds]`; prints requests/s and CPU µs a request.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Plant, PlantSite, Signal } from '../../simulators/plant.ts';
import { registerMap } from '../../simulators/modbus/map.ts';
import { serveModbus } from '../../simulators/modbus/server.ts';
import { systemClock } from '../clock.ts';
import { ModbusClient } from '../drivers/modbus/client.ts';

const registers = 125;

/** 125 status words side by side: the map leaves a hole after each, so flags fill the words without one. */
function bench(): { site: PlantSite; plant: Plant } {
  const flags: Signal[] = Array.from({ length: registers * 16 }, (_, n) => {
    return { metric: `f${n}`, name: `f${n}`, unit: '', decimals: 0, type: 'boolean' };
  });
  const asset = { kind: 'rig', line: null, signals: [] };
  const site: PlantSite = {
    ...{ id: 'rig', name: 'Rig', location: '', timezone: 'UTC', protocol: 'modbus', interval: 1000 },
    // The second unit keeps its flags in words.
    assets: [
      { ...asset, path: 'rig/a', name: 'A' },
      { ...asset, path: 'rig/b', name: 'B', signals: flags },
    ],
  };
  return { site, plant: { site, advance: () => {}, values: () => flags.map((_, n) => n % 3 === 0) } };
}

async function serve(): Promise<void> {
  const { site, plant } = bench();
  const server = await serveModbus(plant, registerMap(site), { host: '127.0.0.1', port: 0 });
  process.send?.(server.port);
  process.once('disconnect', () => void server.close());
}

async function measure(port: number, connections: number, seconds: number): Promise<string> {
  const { site } = bench();
  const from = registerMap(site).entries[0]?.address ?? 0;
  const { signal } = new AbortController();
  const clients = await Promise.all(
    Array.from({ length: connections }, () => ModbusClient.connect('127.0.0.1', port, 3000, systemClock, signal)),
  );
  const ask = async (client: ModbusClient, end: number): Promise<number> => {
    let answered = 0;
    for (; performance.now() < end; answered++) {
      const answer = await client.read(2, 'ir', from, registers, 3000);
      if (answer === 'timeout' || !('words' in answer)) throw new Error(`unexpected answer ${JSON.stringify(answer)}`);
    }
    return answered;
  };
  await Promise.all(clients.map((client) => ask(client, performance.now() + 500)));
  const cpu = process.cpuUsage();
  const began = performance.now();
  const counts = await Promise.all(clients.map((client) => ask(client, began + seconds * 1000)));
  const took = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const client of clients) client.close();
  const total = counts.reduce((sum, count) => sum + count, 0);
  const rate = Math.round(total / took).toLocaleString('en');
  return `${connections} connection(s) × ${registers} registers: ${rate} requests/s, ${((user + system) / total).toFixed(1)} µs CPU a request`;
}

if (process.send) await serve();
else {
  const seconds = Number(process.argv[2] ?? 3);
  const child = fork(fileURLToPath(import.meta.url), { stdio: 'inherit' });
  const [port] = (await once(child, 'message')) as [number];
  for (const connections of [1, 4]) console.log(await measure(port, connections, seconds));
  child.disconnect();
}
