// OPC UA keeps the contract that every protocol keeps, against a real server.
import { driverContract } from '../contract.ts';
import { opcua } from './driver.ts';
import { pkiFolder, point, testServer } from './testing.ts';
import type { TestServer } from './testing.ts';

const URI = 'urn:test:plant';
const KEEP_ALIVE = 1_000;

driverContract('opcua', async () => {
  let server: TestServer | undefined;
  let value = 1;
  let port = 0;
  const changing = point(1, `nsu=${URI};s=flow`, { interval: 100 });
  const constant = point(2, `nsu=${URI};s=level`, { interval: 500 });
  const wrong = point(3, `nsu=${URI};s=missing`, { interval: 100 });
  const points = [changing, constant, wrong];
  const start = async (): Promise<void> => {
    if (server) return;
    server = await testServer({ [URI]: { flow: value, level: 5 } }, { port });
    port = server.port;
  };
  const stop = async (): Promise<void> => {
    const running = server;
    server = undefined;
    await running?.stop();
  };
  await start();
  return {
    driver: () =>
      opcua.create('device', { endpoint: `opc.tcp://127.0.0.1:${port}`, keepAlive: KEEP_ALIVE, pkiFolder }, points),
    points,
    changing,
    constant: { point: constant, value: 5 },
    wrong,
    start,
    stop,
    set(next) {
      value = next;
      server?.set(URI, 'flow', next);
    },
    get: () => Number(server?.get(URI, 'flow')),
    close: stop,
    // The library keeps its own timers; a server may send its keep-alive one publication late.
    time: { kind: 'real', proofWithin: KEEP_ALIVE * 2 },
  };
});
