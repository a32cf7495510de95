// The contract that every protocol keeps, run against its real server: each protocol's tests call
// `driverContract(name, setup)`. The rules stand in the names of checks.ts; `ContractEnv` says what a test must bring.
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Driver, Point } from '../driver.ts';
import type { Value } from '../model.ts';
import { checks } from './checks.ts';

/** What a protocol's test brings: a real server and the driver's points on it. */
export interface ContractEnv {
  /** A new driver over `points`, as the protocol's `create` makes it. Intervals of 100 ms to 1 s keep the suite quick. */
  driver(): Driver;
  /** All points: `changing`, `constant`, and `wrong` if there is one. */
  points: readonly Point[];
  /** The server's value of this one is set by `set`; it is a number, and also the target of the write request. */
  changing: Point;
  /** Nothing ever changes this one. */
  constant: { point: Point; value: Value };
  /** Its address does not exist on the server. */
  wrong?: Point;
  /** Starts the server on the same port as before; nothing if it runs. */
  start(): Promise<void>;
  /** Stops the server and cuts its connections; nothing if it is stopped. */
  stop(): Promise<void>;
  /** Sets the changing value on the server. */
  set(value: number): Promise<void> | void;
  /** The changing value as the server has it now, to see whether a write was carried out. */
  get(): Promise<Value> | Value;
  /** Ends the server and whatever setup began. */
  close(): Promise<void>;
  /**
   * virtual: everything the driver waits for is on `link.clock`, and the proof of life runs 10 virtual minutes.
   * real: the library has timers of its own; the driver then promises proof at least every `proofWithin` ms and is
   * watched for three such spans.
   */
  time: { kind: 'virtual' } | { kind: 'real'; proofWithin: number };
  /** ms within which a stopped server is reported lost. Default 10 s. */
  lossWithin?: number;
}

/** Defines the suite. `setup` starts the server; one server serves all checks. */
export function driverContract(name: string, setup: () => Promise<ContractEnv>): void {
  describe(`${name} keeps the driver contract`, () => {
    let env: ContractEnv;
    beforeAll(async () => {
      env = await setup();
    }, 30_000);
    afterAll(() => env?.close());
    for (const check of checks) {
      test(check.name, { timeout: 60_000 }, async () => {
        await env.start();
        await check.run(env);
      });
    }
  });
}
