// The contract catches what it is for: each driver of broken/ keeps all of it but one clause, and that one must fail.
import { describe, expect, test } from 'vitest';
import { checks, longestGap } from './checks.ts';
import { driverContract } from './contract.ts';
import type { ContractEnv } from './contract.ts';
import { GoodAfterLoss, IgnoresAbort, LateRequest, NoProofOfLife, SwallowsError } from './broken/drivers.ts';
import { TinyDriver, TinyServer } from './broken/tiny.ts';
import type { TinyPoint } from './broken/tiny.ts';

const point = (tag: number, name: string, interval: number): TinyPoint => ({
  tag,
  id: `north/pump-1/${name}`,
  type: 'double',
  interval,
  address: { name },
});

async function tinyEnv(Kind: typeof TinyDriver = TinyDriver): Promise<ContractEnv> {
  const server = new TinyServer();
  const changing = point(1, 'flow', 100);
  const constant = point(2, 'level', 500);
  const wrong = point(3, 'missing', 500);
  const points = [changing, constant, wrong];
  server.values.set('flow', 1).set('level', 5);
  await server.start();
  return {
    driver: () => new Kind(server.port, points),
    points,
    changing,
    constant: { point: constant, value: 5 },
    wrong,
    start: () => server.start(),
    stop: () => server.stop(),
    set: (value) => void server.values.set('flow', value),
    get: () => server.values.get('flow') ?? null,
    close: () => server.stop(),
    time: { kind: 'virtual' },
    lossWithin: 1500,
  };
}

driverContract('a correct driver', tinyEnv);

describe.concurrent('the contract catches a driver that', () => {
  const cases: [string, typeof TinyDriver, string[]][] = [
    ['ignores its abort', IgnoresAbort, ['ends within 2 s when aborted, connected or not']],
    [
      'shows a good value after the loss',
      GoodAfterLoss,
      ['emits no good value and no proof of life after a loss until it is online again'],
    ],
    ['gives no proof of life', NoProofOfLife, ['proves that a constant value is still true']],
    ['carries out a late request', LateRequest, ['answers an expired request as expired and does not carry it out']],
    ['swallows the error', SwallowsError, ['reports the loss of the server']],
  ];
  for (const [what, Kind, expected] of cases) {
    test(what, async () => {
      const env = await tinyEnv(Kind);
      const failed: string[] = [];
      for (const check of checks) {
        await env.start();
        await check.run(env).catch(() => failed.push(check.name));
      }
      await env.close();
      expect(failed).toEqual(expected);
    });
  }
});

test('the longest gap counts both ends', () => {
  expect(longestGap([], 0, 10)).toBe(10);
  expect(longestGap([2, 9], 0, 10)).toBe(7);
  expect(longestGap([5], 0, 20)).toBe(15);
  expect(longestGap([-5, 30], 0, 20)).toBe(20);
});
