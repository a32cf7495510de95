// Modbus keeps the contract that every protocol keeps, against the simulator's server.
import type { Plant, PlantSite, SignalValue } from '../../../simulators/plant.ts';
import { registerMap } from '../../../simulators/modbus/map.ts';
import { serveModbus } from '../../../simulators/modbus/server.ts';
import type { ModbusServer } from '../../../simulators/modbus/server.ts';
import { driverContract } from '../contract.ts';
import { modbus } from './driver.ts';
import { point } from './peer.ts';

driverContract('modbus', async () => {
  const signal = (metric: string) =>
    ({ metric, name: metric, unit: '', decimals: 1, type: 'double', range: { low: 0, high: 100 } }) as const;
  const site: PlantSite = {
    ...{ id: 'north', name: 'North', location: '', timezone: 'UTC', protocol: 'modbus', interval: 100 },
    assets: [
      { path: 'north/pump-1', name: 'Pump 1', kind: 'pump', line: null, signals: [signal('flow'), signal('level')] },
    ],
  };
  const values: (SignalValue | null)[] = [1, 5];
  const plant: Plant = { site, advance: () => {}, values: () => values };
  const map = registerMap(site);
  const at = (index: number, tag: number, interval: number) => {
    const { table, address, encoding, order } = map.entries[index]!;
    return point(tag, `${table}:${address}`, { encoding, order }, interval);
  };
  const changing = at(0, 1, 100);
  const constant = at(1, 2, 500);
  // In one block with the changing one.
  const wrong = point(3, 'ir:9', {}, 100);
  const points = [changing, constant, wrong];

  let server: ModbusServer | undefined;
  let port = 0;
  const start = async (): Promise<void> => {
    server ??= await serveModbus(plant, map, { host: '127.0.0.1', port });
    port = server.port;
  };
  const stop = async (): Promise<void> => {
    await server?.close();
    server = undefined;
  };
  await start();
  return {
    // Long timeouts: where time is virtual it runs ahead of the sockets. A stopped server is seen by its reset.
    driver: () => modbus.create('device', { host: '127.0.0.1', port, timeout: 20_000, connectTimeout: 60_000 }, points),
    points,
    changing,
    constant: { point: constant, value: 5 },
    wrong,
    start,
    stop,
    set(next) {
      values[0] = next;
      server?.update(0);
    },
    get: () => values[0]!,
    close: stop,
    time: { kind: 'virtual' },
  };
});
