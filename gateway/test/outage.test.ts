// An hour without QuestDB, in virtual time: the gateway's own pipeline, its journal on disk and its forwarder before a real
// server that is killed and comes back, one table poorer. Nothing is missing, nothing twice, and the present comes first.
import { expect } from 'vitest';
import { ManualClock } from '../clock.ts';
import { sectionOf, tagOf as forwardTag, testServer } from '../historian/questdb/testing.ts';
import { Flag } from '../model.ts';
import type { GatewayEvent, Sample } from '../model.ts';
import { bed, bedTags } from '../pipeline/bed.ts';
import { catalogOf } from '../pipeline/plant.ts';
import { debtor } from './debtor.ts';
import { needs } from './needs.ts';
import { scratch } from './rig.ts';

/** Seconds between two polls, and polls in an hour. */
const EACH = 5;
const HOUR = 3600 / EACH;
/** Samples a second from the backlog. */
const RATE = 250;

needs('java', 'mvn')(
  'an hour without QuestDB: all that the source sent and the gateway made is there once, what is live before what waited',
  async () => {
    const { path: dataDir, remove } = scratch();
    const server = await testServer();
    const clock = new ManualClock(Date.UTC(2026, 2, 1, 23, 30));
    const catalog = catalogOf(bedTags());
    const { pipeline, journal } = bed(catalog, {}, clock);
    const debt = await debtor({
      ...{ dataDir, clock, name: 'questdb', section: { questdb: sectionOf(server) }, rate: RATE },
      tags: catalog.list.map(({ index, id, type }) => forwardTag(index, id, type)),
    });
    const sent: { tag: number; at: number; value: number }[] = [];
    const made: Sample[] = [];
    const events: GatewayEvent[] = [];
    let polls = 0;
    /** A poll of the plant: two devices, one away for some minutes, both without a new value for others. */
    const live = async (): Promise<void> => {
      const s = polls++;
      const at = clock.micros();
      const away = s > 200 && s <= 260;
      if (s === 201) pipeline.offline('north-plc', 'no answer');
      if (s === 261) pipeline.online('north-plc');
      const devices: [string, number[]][] = [
        ['north-plc', away ? [] : [0, 1, 2]],
        ['south-plc', [3]],
      ];
      for (const [device, tags] of devices) {
        // Quiet values with proof of life, which the gateway repeats.
        if (s > 400 && s < 440) pipeline.alive(device, tags, at);
        else {
          const readings = tags.map((tag) => ({
            tag,
            at,
            status: 0,
            value: tag === 1 ? s % 3 : ((s * 7 + tag) % 400) / 4,
          }));
          pipeline.ingest(device, readings);
          for (const { tag, value } of readings) sent.push({ tag, at, value });
        }
      }
      await debt.pass(EACH * 1000);
      for (const batch of journal.splice(0)) {
        debt.put(batch);
        made.push(...batch.samples.filter(({ flags }) => (flags & (Flag.made | Flag.repeat)) !== 0));
        events.push(...batch.events);
      }
      if (s % 6 === 0) await debt.sync();
    };
    const held = async (): Promise<{ n: number; newest: number }> => {
      const tables = ['readings', 'readings_integer'].map((table) => `SELECT ts FROM ${table}`).join(' UNION ALL ');
      const [row] = await server.sql(`SELECT count() AS n, cast(max(ts) AS long) AS newest FROM (${tables})`);
      return { n: Number(row?.n), newest: Number(row?.newest) };
    };
    try {
      pipeline.start();
      for (const device of ['north-plc', 'south-plc']) pipeline.online(device);
      while (polls < 40) await live();
      await debt.drain();
      const before = debt.account().delivered;
      expect(before).toBeGreaterThan(150);

      await server.kill();
      while (polls < 40 + HOUR) await live();
      await debt.sync();
      expect(debt.says()).toMatch(
        /^nothing stored since .*: QuestDB at 127\.0\.0\.1:\d+ cannot be reached: .*; samples wait/,
      );
      const waiting = debt.account().backlog.samples;
      expect(waiting).toBeGreaterThan(2400);
      expect(debt.account()).toMatchObject({ delivered: before, dropped: 0 });

      // It is back, and what it had not made durable is gone, as after a power cut.
      await server.start();
      await server.sql('TRUNCATE TABLE readings');
      let first: { n: number; newest: number; behind: number } | undefined;
      for (const until = polls + 60; polls < until && !first;) {
        await live();
        await debt.sync();
        await debt.pass(1);
        await server.applied();
        const now = await held();
        if (now.newest > clock.micros() - 3 * EACH * 1_000_000)
          first = { ...now, behind: debt.account().backlog.samples };
      }
      // What is seconds old is there, and most of the hour is still on its way.
      expect(first?.behind).toBeGreaterThan(waiting / 2);
      expect(first?.n).toBeLessThan(waiting / 2);
      const began = polls;
      while (debt.account().backlog.samples > 10) {
        const { delivered } = debt.account();
        await live();
        await debt.sync();
        // The server is real, and has as long for it as it takes.
        for (let i = 0; i < 200 && debt.account().delivered === delivered; i++)
          await new Promise((resolve) => setTimeout(resolve, 5));
        expect(polls - began).toBeLessThan(1000);
      }
      await debt.drain();
      await server.applied();
      // No faster than it is told to.
      expect((polls - began) * EACH).toBeGreaterThan(waiting / RATE / 2);

      const rows = [...made.map(({ tag, value }) => ({ tag, value: value as number | null })), ...sent];
      expect(made.length).toBeGreaterThan(5);
      const figures = (index: number) => {
        const values = rows.filter(({ tag }) => tag === index).map(({ value }) => value);
        const known = values.filter((value) => value !== null);
        const sum = known.reduce((all, value) => all + value, 0);
        return { tag: catalog.tags[index]?.id, n: values.length, sum, max: Math.max(...known) };
      };
      const there = (table: string) =>
        server.sql(`SELECT tag, count() AS n, sum(value) AS sum, max(value) AS max FROM ${table} ORDER BY tag`);
      expect(await there('readings')).toEqual([figures(0), figures(2), figures(3)]);
      expect(await there('readings_integer')).toEqual([figures(1)]);
      const journalled = rows.length;
      expect(debt.account()).toMatchObject({ journalled, delivered: journalled, dropped: 0, deadLettered: 0 });
      expect(debt.logged.filter((line) => line.includes('was started anew'))).toHaveLength(1);
      const stored = await server.sql('SELECT id, kind, transition, severity, tag, alarm FROM events ORDER BY id');
      const expected = events.map((event) => ({
        ...{ id: event.id, kind: event.kind },
        ...(event.kind === 'alarm' ? { transition: event.transition, severity: event.alarm.severity } : {}),
      }));
      expect(stored).toMatchObject(expected.sort((a, b) => (a.id < b.id ? -1 : 1)));
      expect(events.filter(({ kind }) => kind === 'alarm').length).toBeGreaterThan(10);
      await debt.close();
    } finally {
      pipeline.close();
      await server.remove();
      remove();
    }
  },
  240_000,
);
