// Every row of the time-of-filing table, and that (tag, t) is unique whatever the clocks do.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Flag } from '../model.ts';
import { file, fileMade, newFiled, newFiling } from './filing.ts';
import type { Filed, Filing, Said } from './filing.ts';

const NOW = Date.UTC(2026, 0, 1, 12) * 1000;
const S = 1_000_000;
const MIN = 60 * S;
const MAX_SKEW = 300_000;

function tagClock() {
  const state: Filing = newFiling();
  return {
    state,
    says: (
      value: number,
      said: Omit<Said, 'value' | 'status'> & { status?: number },
      now = NOW,
      alive = now,
      epoch = 0,
    ): Filed => file(state, { status: 0, value, ...said }, { now, alive, maxSkew: MAX_SKEW, epoch }, newFiled()),
  };
}
const plain = { flags: 0, merged: false, clockSetBack: false };

describe('no device time', () => {
  test('is filed when received', () => expect(tagClock().says(1, {})).toEqual({ ...plain, t: NOW }));
  test('two in the same microsecond stand one after the other', () => {
    const tag = tagClock();
    tag.says(1, {});
    expect([tag.says(1, {}).t, tag.says(2, {}).t]).toEqual([NOW + 1, NOW + 2]);
  });
  test.each([
    ['within a millisecond: its begin', 1234, 1000],
    ['in the first microsecond of one', 1000, 1000],
    ['in its last', 1999, 1000],
  ])('%s', (_, after, t) => expect(tagClock().says(1, {}, NOW + after).t).toBe(NOW + t));
  test('a second in one millisecond keeps its digits, and the next begins anew', () => {
    const tag = tagClock();
    expect([100, 200, 300, 1100].map((after) => tag.says(after, {}, NOW + after).t - NOW)).toEqual([0, 200, 300, 1000]);
  });
  test.each<[string, (tag: ReturnType<typeof tagClock>) => void]>([
    ['a device’s time', (tag) => tag.says(1, { at: NOW + 1000 })],
    ['a made sample', (tag) => fileMade(tag.state, NOW + 1000, 0)],
    ['a store’s, of an earlier run', (tag) => (tag.state.taken = NOW + 1000)],
  ])('not over %s', (_, before) => {
    const tag = tagClock();
    before(tag);
    expect(tag.says(2, {}, NOW + 1700).t).toBe(NOW + 1700);
    expect(tag.says(3, {}, NOW + 2700).t).toBe(NOW + (tag.state.said > 0 ? 2700 : 2000));
  });
  test('a tag that begins to say times says none of those it was given', () => {
    const tag = tagClock();
    const given = [300, 1300, 2300].map((after) => tag.says(after, {}, NOW + after).t - NOW);
    const own = [0, 1500, 2000, 3000].map((at) => tag.says(at, { at: NOW + at }, NOW + 3300).t - NOW);
    expect([given, own]).toEqual([
      [0, 1000, 2000],
      [1, 1500, 2001, 3000],
    ]);
    expect(tag.says(9, {}, NOW + 4300).t).toBe(NOW + 4300);
  });
  test('with the gateway’s own clock set back, digits stay until it has caught up', () => {
    const tag = tagClock();
    tag.says(1, {}, NOW + 5300);
    expect([1300, 5300, 6300].map((after) => tag.says(2, {}, NOW + after, NOW, 1).t - NOW)).toEqual([1300, 5300, 6000]);
  });
  test('a time that cannot be right is filed by all digits of its receipt', () =>
    expect(tagClock().says(1, { at: S }, NOW + 1234).t).toBe(NOW + 1234));
  test('a server time alone does not count', () => expect(tagClock().says(1, { serverAt: NOW - S }).t).toBe(NOW));
  test.each([NaN, Infinity])('nor does a device time of %s', (at) => expect(tagClock().says(1, { at }).t).toBe(NOW));
});

describe('newer than the last, within reach', () => {
  test.each([-5 * MIN, -S, 0, 5 * MIN])('%s µs from now: filed under the device’s time', (off) =>
    expect(tagClock().says(1, { at: NOW + off })).toEqual({ ...plain, t: NOW + off }),
  );
  test('a queue delivered after a reconnect keeps its times', () => {
    const tag = tagClock();
    const alive = NOW - 60 * MIN;
    tag.says(0, { at: alive }, alive);
    for (let at = alive + S; at < NOW; at += 60 * S)
      expect(tag.says(at, { at }, NOW, alive)).toEqual({ ...plain, t: at });
  });
});

describe('the last again', () => {
  test('same value and status: merged', () => {
    const tag = tagClock();
    tag.says(1, { at: NOW });
    expect(tag.says(1, { at: NOW }, NOW + S).merged).toBe(true);
  });
  test('what the gateway makes between them does not count', () => {
    const tag = tagClock();
    tag.says(1, { at: NOW });
    fileMade(tag.state, NOW + S, 0);
    expect(tag.says(1, { at: NOW }, NOW + 2 * S).merged).toBe(true);
    expect(tag.says(2, { at: NOW + S / 2 }, NOW + 2 * S)).toEqual({ ...plain, t: NOW + S / 2 });
  });
  test('other value: a frozen clock, when received', () => {
    const tag = tagClock();
    tag.says(1, { at: NOW });
    expect(tag.says(2, { at: NOW }, NOW + S)).toEqual({ ...plain, t: NOW + S, flags: Flag.skewed });
    expect(tag.says(2, { at: NOW }, NOW + 2 * S).merged).toBe(true);
    expect(tag.says(3, { at: NOW }, NOW + 3 * S).t).toBe(NOW + 3 * S);
  });
  test('other status alone counts as other', () => {
    const tag = tagClock();
    tag.says(1, { at: NOW });
    expect(tag.says(1, { at: NOW, status: 0x80000000 }, NOW + S)).toMatchObject({
      merged: false,
      t: NOW + S,
      flags: Flag.skewed,
    });
  });
  test('a frozen clock ahead of ours: at least the last and a microsecond', () => {
    const tag = tagClock();
    tag.says(1, { at: NOW + MIN });
    expect(tag.says(2, { at: NOW + MIN }, NOW + S).t).toBe(NOW + MIN + 1);
    expect(tag.says(3, { at: NOW + MIN }, NOW + 2 * S).t).toBe(NOW + MIN + 2);
  });
});

describe('older than the last', () => {
  test('is late: stored under its own time', () => {
    const tag = tagClock();
    tag.says(1, { at: NOW });
    expect(tag.says(2, { at: NOW - S }, NOW + S)).toEqual({ ...plain, t: NOW - S, flags: Flag.late });
    expect(tag.says(3, { at: NOW + S }, NOW + S)).toEqual({ ...plain, t: NOW + S });
  });
  test('a newer one between them starts the count again', () => {
    const tag = tagClock();
    tag.says(0, { at: NOW });
    for (let n = 1; n < 6; n++) {
      expect(tag.says(n, { at: NOW - n * S }, NOW + n * S).flags).toBe(Flag.late);
      if (n % 2 === 0) tag.says(n, { at: NOW + n * S }, NOW + n * S);
    }
  });
  test('three in a row: set back, said once, filed when received until it has caught up', () => {
    const tag = tagClock();
    tag.says(0, { at: NOW });
    const behind = NOW - 60 * MIN;
    const filed = [1, 2, 3, 4, 5].map((n) => tag.says(n, { at: behind + n * S }, NOW + n * S));
    expect(filed.map((one) => one.flags)).toEqual([Flag.late, Flag.late, Flag.skewed, Flag.skewed, Flag.skewed]);
    expect(filed.map((one) => one.clockSetBack)).toEqual([false, false, true, false, false]);
    expect(filed.map((one) => one.t)).toEqual([behind + S, behind + 2 * S, NOW + 3 * S, NOW + 4 * S, NOW + 5 * S]);
    expect(tag.says(6, { at: NOW + S }, NOW + 60 * MIN, NOW + 5 * S)).toEqual({ ...plain, t: NOW + S });
    // Caught up: the next time back is a new story.
    expect(tag.says(7, { at: NOW }, NOW + 61 * MIN).flags).toBe(Flag.late);
  });
});

describe('merely old', () => {
  const at = NOW - 3 * 24 * 60 * MIN;
  test('server time right: filed under it, no flag', () =>
    expect(tagClock().says(1, { at, serverAt: NOW - S })).toEqual({ ...plain, t: NOW - S }));
  test('two under one server time stand one after the other', () => {
    const tag = tagClock();
    expect([0, 1, 2].map((n) => tag.says(n, { at: at + n, serverAt: NOW - S }).t)).toEqual([
      NOW - S,
      NOW - S + 1,
      NOW - S + 2,
    ]);
  });
  test('then a change within reach is filed under its own time', () => {
    const tag = tagClock();
    tag.says(1, { at, serverAt: NOW });
    expect(tag.says(2, { at: NOW + S }, NOW + S)).toEqual({ ...plain, t: NOW + S });
  });
  test.each([undefined, NOW - 60 * MIN, NOW + 6 * MIN])('with the server time %s: when received, skewed', (serverAt) =>
    expect(tagClock().says(1, { at, serverAt })).toEqual({ ...plain, t: NOW, flags: Flag.skewed }),
  );
});

describe('impossible', () => {
  const impossible = [
    ['in the future', NOW + 5 * MIN + 1],
    ['in 1970', 12 * S],
    ['before the epoch', -S],
    ['in 1999', Date.UTC(1999, 11, 31) * 1000],
  ] as const;
  test.each(impossible)('%s: server time if right', (_, at) =>
    expect(tagClock().says(1, { at, serverAt: NOW - S })).toEqual({ ...plain, t: NOW - S, flags: Flag.skewed }),
  );
  test.each(impossible)('%s: else when received', (_, at) =>
    expect(tagClock().says(1, { at })).toEqual({ ...plain, t: NOW, flags: Flag.skewed }),
  );
  test.each(impossible)('%s: pins nothing', (_, at) => {
    const tag = tagClock();
    tag.says(1, { at });
    expect(tag.says(2, { at: NOW + S }, NOW + S)).toEqual({ ...plain, t: NOW + S });
  });
  test('1970, running: nothing lost, nothing overwritten', () => {
    const tag = tagClock();
    expect([1, 2, 3, 4].map((n) => tag.says(n, { at: n * S }, NOW + n * S).t)).toEqual(
      [1, 2, 3, 4].map((n) => NOW + n * S),
    );
  });
});

test('the gateway’s own clock set back: order starts again there', () => {
  const tag = tagClock();
  tag.says(1, { at: NOW });
  tag.says(2, {}, NOW + S);
  const back = NOW - 60 * MIN;
  expect(tag.says(3, {}, back, back, 1)).toEqual({ ...plain, t: back });
  expect(tag.says(4, { at: back + S }, back + S, back, 1)).toEqual({ ...plain, t: back + S });
});

test('a made sample stands after everything the tag has', () => {
  const tag = tagClock();
  tag.says(1, { at: NOW + MIN });
  expect(fileMade(tag.state, NOW, 0)).toBe(NOW + MIN + 1);
  expect(fileMade(tag.state, NOW + 2 * MIN, 0)).toBe(NOW + 2 * MIN);
});

test('whatever the clocks do, (tag, t) is unique but for late ones, and no t lies in the future or before the reach', () => {
  // Device times on whole ms, ours and the server's between them: clocks meet to the microsecond only by their own repetition.
  const steps = fc.record({
    forward: fc.integer({ min: 0, max: 3000 }),
    at: fc.option(fc.oneof(fc.integer({ min: -400_000, max: 400_000 }), fc.constant(-1e12)), { nil: undefined }),
    server: fc.option(fc.integer({ min: -400_000, max: 400_000 }), { nil: undefined }),
    value: fc.integer({ min: 0, max: 2 }),
    made: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (list) => {
      const tag = tagClock();
      const seen = new Set<number>();
      let ms = NOW / 1000;
      for (const { forward, at, server, value, made } of list) {
        ms += forward;
        const now = ms * 1000 + 500;
        const add = (t: number): void => {
          expect(seen.has(t)).toBe(false);
          seen.add(t);
          expect(t).toBeLessThanOrEqual(now + 5 * MIN + 1000);
          expect(t).toBeGreaterThanOrEqual(now - 5 * MIN);
        };
        if (made) add(fileMade(tag.state, now, 0));
        const said = {
          at: at === undefined ? undefined : (ms + at) * 1000,
          serverAt: server === undefined ? undefined : (ms + server) * 1000 + 250,
        };
        const filed = tag.says(value, said, now);
        if (!filed.merged && !(filed.flags & Flag.late)) add(filed.t);
      }
    }),
    { numRuns: 500 },
  );
});
