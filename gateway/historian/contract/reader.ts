// What every reader answers: merged with whatever a gateway has itself, every question is answered as by one embedded store
// that holds everything; and beside the seams what a database finds hard: limits a hair apart, many widths of buckets.
// Called by contract.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { BucketWidth } from '../../history.ts';
import { deepHistory } from '../deep.ts';
import type { RemoteHistory } from '../remote.ts';
import { sampleOf } from '../embedded/testing.ts';
import { HOUR, NOW, START, expectAlike, namedOf, plant, storeWith, tags } from './seams.ts';
import type { Seam, Seamed } from './seams.ts';
import { frame, randomOf, until } from './bed.ts';
import type { ForwarderBed } from './bed.ts';

/** PENSTOCK_SOAK times as many seams as a unit run's. */
const SOAK = Number(process.env.PENSTOCK_SOAK ?? 1);
const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns'];
const widths: BucketWidth[] = ['hour', 'day', 'week', 'month', 'year', 900e6, 7 * HOUR + 1];

/** @param bedOf the bed, once the tests run */
export function readerTests(bedOf: () => ForwarderBed): void {
  describe('the reader', () => {
    let whole: Seamed;
    let remote: RemoteHistory;
    const merged = ({ query, retained }: Seamed) =>
      deepHistory(query, { remote, tag: namedOf, retained, clock: new ManualClock() });
    beforeAll(async () => {
      await bedOf().clear();
      remote = bedOf().history();
    });
    afterAll(() => {
      whole?.close();
      return remote?.close();
    });

    test('nothing was ever stored there: nothing is missing', async () => {
      const empty = await storeWith([], { since: NOW });
      const [figures] = await merged(empty).aggregate({ tags: [0], from: START, to: NOW, width: 'day' });
      expect([figures?.incomplete, figures?.count.every((n) => n === 0)]).toEqual([undefined, true]);
      expect(await remote.latest(tags)).toEqual([]);
      empty.close();
    });

    test('whatever the seam, every answer is that of one store that holds everything', async () => {
      const all = plant();
      const consumer = bedOf().forwarder(tags);
      for (let i = 0; i < all.length; i += 500) await until(consumer, [frame(i + 1, all.slice(i, i + 500))]);
      await bedOf().rows();
      whole = await storeWith(all);
      const random = randomOf(11);
      const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
      const moment = (): number => Math.floor(START - 2 * HOUR + random() * (NOW - START + 2 * HOUR));
      const seams: Seam[] = [
        { retention: 24 * 3_600_000 },
        { since: moment() },
        { since: moment(), late: ({ t }) => t % 5 === 0 },
        { since: moment(), retention: 30 * 3_600_000 },
      ];
      for (let i = 0; i < 4 * SOAK; i++) {
        const local = await storeWith(all, seams[i % 4]);
        for (let k = 0; k < 2; k++) {
          const [a, b] = [moment(), k === 0 ? NOW : moment()];
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          const limit = one([1, 7, 100, 10_000]);
          await expectAlike(merged(local), whole.query, { from, to, limit, width: one(widths), zone: one(zones) });
        }
        local.close();
      }
      await consumer.close();
    });

    test('a limit is passed by the least that a double can', async () => {
      await bedOf().clear();
      const consumer = bedOf().forwarder(tags);
      const values = [1, 1 + Number.EPSILON, 1 - Number.EPSILON, 1, 1e-12, 0, -1e-12, 1e300, 1];
      await until(consumer, [
        frame(
          1,
          values.map((value, i) => sampleOf(0, START + i * 1e6, value)),
        ),
      ]);
      await bedOf().rows();
      const at = [tags[0]].filter((tag) => tag !== undefined);
      const [one] = await remote.sides(at, START, NOW, 1);
      expect(one).toMatchObject({ above: 2e6, below: 4e6, known: 8e6, t0: START, t1: START + 8e6, held: 1 });
      const [none] = await remote.sides(at, START, NOW, 0);
      expect(none).toMatchObject({ above: 6e6, below: 1e6 });
      const { value } = await remote.changes(at[0] as (typeof at)[0], START, NOW, 100);
      expect(value).toEqual(values);
      await consumer.close();
    });
  });
}
