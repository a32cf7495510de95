// What PostgreSQL has beyond the contract: days, refused rows, tables that are there already, and the way back out.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { ForwardTag, Forwarder } from '../../consumer.ts';
import type { Frame, GatewayEvent, Sample, Value } from '../../model.ts';
import { debtor } from '../../test/debtor.ts';
import { authority } from '../../test/authority.ts';
import { findProgram, needs } from '../../test/needs.ts';
import { credentials } from '../credentials.ts';
import { readDeadLetters } from '../dead-letters.ts';
import type { DeadLetter } from '../dead-letters.ts';
import type { RemoteTag } from '../remote.ts';
import { addressOf } from './address.ts';
import type { PostgresSettings } from './address.ts';
import { postgresForwarder } from './forwarder.ts';
import { fixed } from '../embedded/calendar.ts';
import { MOST } from '../remote.ts';
import { postgresHistory } from './reader.ts';
import { connect } from './session.ts';
import { columnsOf, dayOf, daysAhead, partition, tables } from './schema.ts';
import { contextOf, password, startPostgres } from './testing.ts';
import type { Server } from './testing.ts';

const DAY = 86_400_000_000;
const T = Date.UTC(2025, 5, 1) * 1000;
const iso = (micros: number): string => new Date(micros / 1000).toISOString();
const never = new AbortController().signal;
const names: RemoteTag[] = [
  { id: 'n/pump/flow', type: 'double' },
  { id: 'n/pump/count', type: 'integer' },
  { id: 'n/pump/note', type: 'text' },
  { id: 'n/pump/on', type: 'boolean' },
];
const [flow, count, note, on] = names as [RemoteTag, RemoteTag, RemoteTag, RemoteTag];
const sample = (tag: number, t: number, value: Value, status = 0): Sample => ({
  tag,
  t,
  receivedAt: t,
  value,
  status,
  flags: 0,
});
const frame = (seq: number, samples: Sample[], events: GatewayEvent[] = []): Frame => ({
  seq,
  revision: 1,
  origin: 'live',
  source: 's',
  samples,
  events,
});

const initdb = needs('initdb');
const present = findProgram('initdb') !== undefined || process.env.PENSTOCK_REQUIRE === 'all';
describe('PostgreSQL', { timeout: 30_000 }, () => {
  let server: Server;
  let dir: string;
  let forwarder: Forwarder;
  let context: ReturnType<typeof contextOf>;
  const settings = (change: Partial<PostgresSettings> = {}): PostgresSettings => ({
    ...{ url: `postgres://127.0.0.1:${server.port}/postgres`, user: 'penstock', tls: 'off', tlsCa: '' },
    ...{ passwordFile: join(dir, 'secret'), passwordCommand: '' },
    ...change,
  });
  const make = (change: Partial<PostgresSettings> = {}): Forwarder =>
    postgresForwarder.create(settings(change), contextOf(dir, names));
  const open = () => postgresHistory(addressOf(settings(), 'forward.postgres'), credentials(settings()));
  const letters = async (): Promise<DeadLetter[]> => {
    const found: DeadLetter[] = [];
    for await (const letter of readDeadLetters(dir, 'postgres')) found.push(letter);
    return found;
  };
  const values = async (table = 'readings'): Promise<unknown[]> =>
    (await server.sql(`SELECT value FROM ${table} ORDER BY ts, tag`)).map(({ value }) => value);
  const partitions = async (): Promise<string[]> =>
    (
      await server.sql(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'readings'::regclass",
      )
    )
      .map(({ name }) => String(name))
      .sort();

  beforeAll(async () => {
    if (present) server = await startPostgres(['fsync=off', 'shared_buffers=16MB', 'max_locks_per_transaction=10']);
  }, 30_000);
  afterAll(() => server?.close());
  beforeEach(async () => {
    if (!present) return undefined;
    dir = mkdtempSync(join(tmpdir(), 'penstock-pg-'));
    writeFileSync(join(dir, 'secret'), password);
    context = contextOf(dir, names);
    forwarder = postgresForwarder.create(settings(), context);
    return async () => {
      await forwarder.close();
      await server.sql(`DROP TABLE IF EXISTS ${tables.join(', ')}`);
      rmSync(dir, { recursive: true, force: true });
    };
  });

  initdb('days are partitions: those to come are there before, a late one is made, a removed one again', async () => {
    const clock = new ManualClock(T / 1000 + 7 * 86_400_000);
    forwarder = postgresForwarder.create(settings(), { ...context, clock });
    await forwarder.write([frame(1, [])], never);
    const ahead = daysAhead(clock.now()).map((day) => partition('readings', day).name);
    expect(await partitions()).toEqual(ahead);
    await forwarder.write([frame(2, [sample(0, T - 1, 1), sample(0, T, 2)])], never);
    expect(await partitions()).toEqual(['readings_p20250531', 'readings_p20250601', ...ahead]);
    await server.sql('DROP TABLE readings_p20250601');
    const missing = [frame(3, [sample(0, T + 1, 3)])];
    await expect(forwarder.write(missing, never)).rejects.toThrow(/no partition/);
    await forwarder.write(missing, never);
    expect(await values()).toEqual([1, 3]);
    expect(await letters()).toEqual([]);
  });

  initdb(
    'decades of days are stored: years long past are a partition each, and few locks are held at a time',
    async () => {
      const clock = new ManualClock(Date.UTC(2026, 5, 1));
      forwarder = postgresForwarder.create(settings(), { ...context, clock });
      await forwarder.write([frame(1, [])], never);
      await server.sql(
        "CREATE TABLE readings_p20030401 PARTITION OF readings FOR VALUES FROM ('2003-04-01 00:00Z') TO ('2003-04-02 00:00Z')",
      );
      const noon = (day: number): number => (day * 86_400 + 43_200) * 1e6;
      // Twenty years by the tenth day, this winter and a week of a year that has days already.
      const days = [
        ...Array.from({ length: 730 }, (_, i) => dayOf(Date.UTC(1990, 0, 1) * 1000) + i * 10),
        ...Array.from({ length: 60 }, (_, i) => dayOf(Date.UTC(2025, 11, 1) * 1000) + i),
      ].filter((day) => new Date(day * 86_400_000).getUTCFullYear() !== 2003);
      const week = Array.from({ length: 7 }, (_, i) => dayOf(Date.UTC(2003, 2, 29) * 1000) + i);
      const samples = [...days, ...week].map((day, i) => sample(0, noon(day), i));
      expect(await forwarder.write([frame(2, samples)], never)).toMatchObject({ delivered: samples.length });
      const [all] = await server.sql('SELECT count(*)::int AS n, sum(value)::int AS sum FROM readings');
      expect(all).toEqual({ n: samples.length, sum: (samples.length * (samples.length - 1)) / 2 });
      const made = await partitions();
      expect(made.filter((name) => name.length === 'readings_p1990'.length)).toHaveLength(19);
      expect(made.filter((name) => name.startsWith('readings_p2003'))).toHaveLength(7);
      const history = open();
      expect(await history.latest([flow, on], noon(days[0] as number) + 1)).toMatchObject([{ id: flow.id, value: 0 }]);
      expect(await history.latest([flow])).toMatchObject([{ t: noon(dayOf(Date.UTC(2026, 0, 29) * 1000)) }]);
      await history.close();
      // All at once they would be too many for this server.
      for (const name of made) await server.sql(`DROP TABLE ${name}`);
    },
  );

  initdb('commits wait for the disk also where the user or a pooler has it otherwise', async () => {
    await forwarder.write([frame(1, [sample(0, T, 1)])], never);
    await server.sql(`CREATE TABLE heard (setting text);
      CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO heard VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
      CREATE TRIGGER hear AFTER INSERT ON readings EXECUTE FUNCTION hear();
      ALTER ROLE penstock SET synchronous_commit = off`);
    const later = make();
    await later.write([frame(2, [sample(0, T + 1, 2)])], never);
    await server.sql('ALTER ROLE penstock SET synchronous_commit = remote_apply');
    const last = make();
    await last.write([frame(3, [sample(0, T + 2, 3)])], never);
    expect(await server.sql('SELECT setting FROM heard')).toEqual([{ setting: 'on' }, { setting: 'remote_apply' }]);
    await Promise.all([later.close(), last.close()]);
    await server.sql('ALTER ROLE penstock RESET synchronous_commit; DROP TABLE heard; DROP FUNCTION hear CASCADE');
  });

  initdb('a server that only reads, and a partition that does not fit any more, are said with what to do', async () => {
    await server.sql('CREATE DATABASE standby');
    await server.sql('ALTER DATABASE standby SET default_transaction_read_only = on');
    const reading = make({ url: `postgres://127.0.0.1:${server.port}/standby` });
    await expect(reading.write([frame(1, [])], never)).rejects.toThrow(
      /cannot execute .* in a read-only transaction: it is a standby, or set so; name the server/,
    );
    await reading.close();
    await server.sql('DROP DATABASE standby WITH (FORCE)');
    await forwarder.write([frame(1, [sample(0, Date.now() * 1000, 1)])], never);
    const name = partition('readings', dayOf(Date.now() * 1000)).name;
    await server.sql(`ALTER TABLE readings DETACH PARTITION ${name}; ALTER TABLE readings ADD COLUMN shift text`);
    const next = make();
    await expect(next.write([frame(2, [])], never)).rejects.toThrow(
      new RegExp(`child table is missing column "shift" \\(${name}\\): rename that table, or make it fit`),
    );
    await server.sql(`DROP TABLE ${name}`);
    await next.write([frame(2, [])], never);
    await next.close();
  });

  initdb(
    'a server that was started anew gets the last half hour once more, also when it was while the gateway was away',
    async () => {
      const rewound: number[] = [];
      const again = () => postgresForwarder.create(settings(), { ...context, rewind: (ms) => void rewound.push(ms) });
      const stored = (to: Forwarder, t: number): Promise<unknown> =>
        expect.poll(() => to.write([frame(t, [sample(0, T + t, t)])], never).catch(() => undefined)).toBeDefined();
      const first = again();
      await stored(first, 1);
      await server.kill();
      await server.start();
      await stored(first, 2);
      await stored(first, 3);
      expect(rewound).toEqual([30 * 60_000]);
      await first.close();
      const second = again();
      await stored(second, 4);
      expect(rewound).toHaveLength(1);
      await second.close();
      await server.kill();
      await server.start();
      const third = again();
      await stored(third, 5);
      expect(rewound).toHaveLength(2);
      await third.close();
      expect(await values()).toEqual([1, 2, 3, 4, 5]);
    },
  );

  initdb('gateways that start on one database at once make its tables together', async () => {
    const others = Array.from({ length: 4 }, () =>
      postgresForwarder.create(settings(), contextOf(mkdtempSync(join(dir, 'gateway-')), names)),
    );
    await Promise.all(others.map((each, i) => each.write([frame(1, [sample(0, T + i, i)])], never)));
    expect(await values()).toEqual([0, 1, 2, 3]);
    await Promise.all(others.map((each) => each.close()));
  });

  initdb('only the rows a table refuses become letters; they are counted and can be imported', async () => {
    await forwarder.write([frame(1, [])], never);
    await server.sql(`ALTER TABLE readings ADD CONSTRAINT small CHECK (value < 1000);
      ALTER TABLE readings_integer ADD CONSTRAINT small CHECK (value < 1000);
      ALTER TABLE events ADD CONSTRAINT ours CHECK (kind <> 'device')`);
    const samples = Array.from({ length: 2000 }, (_, i) => sample(0, T + i, i % 500 === 7 ? 1000 + i : i % 100));
    const event: GatewayEvent = { kind: 'device', id: 'd1', time: 5, device: 'plc', state: 'online' };
    const told = await forwarder.write(
      [frame(2, samples), frame(3, [sample(1, T, 2n ** 60n), sample(1, T + 1, 4)], [event])],
      never,
    );
    expect(told).toEqual({ delivered: 1997, filtered: 0, deadLettered: 5 });
    expect((await values()).length).toBe(1996);
    expect(await values('readings_integer')).toEqual(['4']);
    const kept = await letters();
    expect(kept.map(({ table, row }) => [table, row.tag ?? row.id, row.timestamp, row.value])).toEqual([
      ['readings', flow.id, '2025-06-01T00:00:00.000007Z', 1007],
      ['readings', flow.id, '2025-06-01T00:00:00.000507Z', 1507],
      ['readings', flow.id, '2025-06-01T00:00:00.001007Z', 2007],
      ['readings', flow.id, '2025-06-01T00:00:00.001507Z', 2507],
      ['readings_integer', count.id, '2025-06-01T00:00:00.000000Z', String(2n ** 60n)],
      ['events', 'd1', undefined, undefined],
    ]);
    expect(kept[0]?.reason).toMatch(/check constraint "small"/);
  });

  initdb(
    'more refused rows than the server has locks: a try cut short is gone on with, and each has one letter',
    async () => {
      await forwarder.write([frame(1, [])], never);
      await server.sql(`ALTER TABLE readings ADD CONSTRAINT small CHECK (value < 1000);
      CREATE SEQUENCE statements;
      CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('statements') = 1500 THEN RAISE serialization_failure; END IF; RETURN NULL; END $$;
      CREATE TRIGGER cut BEFORE INSERT ON readings FOR EACH STATEMENT EXECUTE FUNCTION cut()`);
      const samples = Array.from({ length: 1000 }, (_, i) => sample(0, T + i, i % 2 ? i : 1000 + i));
      await expect(forwarder.write([frame(2, samples)], never)).rejects.toThrow(/serialization_failure/);
      const told = await forwarder.write([frame(2, samples)], never);
      const [row] = await server.sql('SELECT last_value AS n FROM statements');
      await server.sql('DROP FUNCTION cut CASCADE; DROP SEQUENCE statements');
      expect(told).toEqual({ delivered: 500, filtered: 0, deadLettered: 500 });
      expect(Number(row?.n)).toBeLessThan(1500 + 1000);
      expect(await values()).toEqual(samples.map(({ value }) => value).filter((value) => Number(value) < 1000));
      expect(new Set((await letters()).map(({ row: { value } }) => value)).size).toBe((await letters()).length);
      expect((await letters()).length).toBe(500);
    },
  );

  initdb('a tag nobody knows is filtered; a NUL, which no text may hold, is shown and counted', async () => {
    const event: GatewayEvent = { kind: 'clock', id: 'c1', time: 5, message: 'a\0b \\u0000' };
    const told = await forwarder.write([frame(1, [sample(2, T, 'a\0b'), sample(9, T, 1)], [event])], never);
    expect(told).toEqual({ delivered: 1, filtered: 1, deadLettered: 0 });
    expect(await values('readings_text')).toEqual(['a␀b']);
    expect(context.logged.join()).toMatch(/NUL.* is stored as ␀/);
    const [row] = await server.sql("SELECT message, detail->>'message' AS whole FROM events");
    expect(row).toEqual({ message: 'a␀b \\u0000', whole: 'a␀b \\u0000' });
  });

  initdb('the highest sequence stays, whatever comes after it', async () => {
    await forwarder.write([frame(9, [sample(0, T, 9)])], never);
    await forwarder.write([frame(4, [sample(0, T, 4)])], never);
    expect(await values()).toEqual([9]);
    await forwarder.write([frame(10, [sample(0, T, null, 0x80000000)])], never);
    expect(await values()).toEqual([null]);
  });

  initdb('a table of the user is taken as it is when it fits, and told apart in words when not', async () => {
    const columns = columnsOf('readings').map(([name, type]) => `${name} ${type}`);
    await server.sql(`CREATE TABLE readings (${columns.join(', ')}, note text, UNIQUE (ts, tag))`);
    await forwarder.write([frame(1, [sample(0, T, 1)])], never);
    expect(await values()).toEqual([1]);
    expect(await partitions()).toEqual([]);
    await server.sql('ALTER TABLE readings DROP COLUMN note, ADD COLUMN plant text NOT NULL DEFAULT 1');
    await server.sql('ALTER TABLE readings ALTER COLUMN plant DROP DEFAULT');
    await expect(make().write([frame(2, [])], never)).rejects.toThrow(
      'PostgreSQL: table readings is not as the gateway needs it: column plant must be given a value',
    );
    // An open session meets it as a refusal of every row: that must not end in letters.
    await expect(forwarder.write([frame(2, [sample(0, T, 2)])], never)).rejects.toThrow(/plant/);
    expect(await letters()).toEqual([]);
  });

  initdb(
    'a table that is altered under it is one sentence each time, and goes on when it is mended',
    async () => {
      const clock = new ManualClock(T / 1000);
      const tags = names.map((_, index) => context.tag(index) as ForwardTag);
      const section = { postgres: settings() };
      const debt = await debtor({ dataDir: join(dir, 'data'), clock, tags, name: 'postgres', section });
      let n = 0;
      const drifts = async (spoil: string, words: RegExp, mend: string): Promise<void> => {
        await server.sql(spoil);
        // What PostgreSQL still takes, a double into a text, is found at the next look at the tables, every 10 s.
        await debt.pass(11_000);
        debt.put({ origin: 'live', source: 's', samples: [sample(0, T + n, n++)], events: [] });
        await debt.sync();
        await debt.pass(Infinity, () => words.test(debt.says()));
        await server.sql(mend);
        await debt.drain();
        expect(debt.says()).toMatch(/^fsync is off/);
      };
      await debt.drain();
      await drifts(
        'CREATE TABLE readings (ts bigint)',
        /PostgreSQL: table readings is not as the gateway needs it: column ts is bigint/,
        'DROP TABLE readings',
      );
      await drifts(
        'ALTER TABLE readings DROP COLUMN status',
        /column status \(bigint\) is missing/,
        'ALTER TABLE readings ADD COLUMN status bigint',
      );
      await drifts(
        'ALTER TABLE readings DROP CONSTRAINT readings_pkey',
        /it has no unique key on \(tag, ts\)/,
        'ALTER TABLE readings ADD PRIMARY KEY (tag, ts)',
      );
      await drifts(
        'ALTER TABLE readings ALTER COLUMN value TYPE text',
        /column value is text, it must be double precision/,
        'ALTER TABLE readings ALTER COLUMN value TYPE double precision USING value::double precision',
      );
      expect(debt.account()).toMatchObject({ journalled: n, delivered: n, dropped: 0, deadLettered: 0 });
      expect(await values()).toEqual([0, 1, 2, 3]);
      await debt.close();
    },
    60_000,
  );

  initdb(
    'a table that is held is waited for no longer than the limit, and a signal ends the wait at once',
    async () => {
      await forwarder.write([frame(1, [sample(0, T, 1)])], never);
      const limited = await connect(addressOf(settings(), 'forward.postgres', 200), credentials(settings()));
      const holding = server.sql('BEGIN; LOCK TABLE readings; SELECT pg_sleep(0.8); COMMIT');
      await expect
        .poll(() =>
          server.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'readings'::regclass"),
        )
        .toHaveLength(1);
      await expect(limited.query('SELECT * FROM readings')).rejects.toThrow(/timeout/);
      limited.close();
      const stop = new AbortController();
      const writing = forwarder.write([frame(2, [sample(0, T, 2)])], stop.signal);
      setTimeout(() => stop.abort(), 50);
      let held = true;
      const released = holding.then(() => (held = false));
      await expect(writing).rejects.toThrow();
      expect(held).toBe(true);
      await released;
      await forwarder.write([frame(2, [sample(0, T, 2)])], never);
      expect(await values()).toEqual([2]);
    },
  );

  initdb('what is missing is said: a right, a database, a server', async () => {
    await server.sql(`DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD '${password}'`);
    const write = (change: Partial<PostgresSettings>) => make(change).write([frame(1, [])], never);
    await expect(write({ user: 'guest' })).rejects.toThrow(
      /permission denied for schema public: grant it to the user "guest"/,
    );
    const at = (port: number, database: string) => ({ url: `postgres://127.0.0.1:${port}/${database}` });
    await expect(write(at(server.port, 'nowhere'))).rejects.toThrow(/has no database "nowhere"/);
    await expect(write(at(1, 'postgres'))).rejects.toThrow(
      /^PostgreSQL at 127.0.0.1:1 does not answer: .*ECONNREFUSED/,
    );
    await expect(write({ tls: 'verify' })).rejects.toThrow(/SSL/);
  });

  initdb(
    'partitions that somebody else makes are good enough: of another width, the default one, without our right',
    async () => {
      await forwarder.write([frame(1, [])], never);
      await server.sql(`DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD '${password}';
      GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO guest`);
      const guest = make({ user: 'guest' });
      const [wide, other] = [T + 400 * DAY, T + 800 * DAY];
      await expect(guest.write([frame(2, [sample(0, wide, 2)])], never)).rejects.toThrow(
        /no partition of relation "readings" found for row: make a partition for its day, or let the user "guest" own/,
      );
      await server.sql(`CREATE TABLE readings_wide PARTITION OF readings
      FOR VALUES FROM ('${iso(wide - DAY)}') TO ('${iso(wide + 30 * DAY)}');
      CREATE TABLE readings_rest PARTITION OF readings DEFAULT;
      INSERT INTO readings (ts, tag, value, seq) VALUES ('${iso(other)}', 'x', 3, 1)`);
      for (const each of [guest, forwarder])
        await each.write([frame(2, [sample(0, wide, 2), sample(0, other, 4)])], never);
      expect(await values()).toEqual([2, 4, 3]);
      expect(await letters()).toEqual([]);
      await guest.close();
    },
  );

  initdb('an encoding that cannot hold every text is said, and costs only those rows', async () => {
    await server.sql("CREATE DATABASE narrow ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    const narrow = make({ url: `postgres://127.0.0.1:${server.port}/narrow` });
    const told = await narrow.write([frame(1, [sample(2, T, 'Größe'), sample(2, T + 1, '温度')])], never);
    expect(told).toEqual({ delivered: 1, filtered: 0, deadLettered: 1 });
    expect(narrow.trouble?.()).toContain("the database's encoding is LATIN1");
    expect(await letters()).toMatchObject([{ table: 'readings_text', row: { value: '温度' } }]);
    await narrow.close();
    await server.sql('DROP DATABASE narrow WITH (FORCE)');
  });

  needs('initdb', 'openssl')('over TLS, with a certificate that is checked against its authority', async () => {
    const [ours, strange] = [authority(dir, 'ours'), authority(dir, 'strange')];
    const show = async ({ key, cert }: ReturnType<typeof ours.certificate>): Promise<void> => {
      server.place('server.key', key);
      server.place('server.crt', cert);
      await server.sql('SELECT pg_reload_conf()');
    };
    await server.sql('ALTER SYSTEM SET ssl = on');
    const encrypted = () =>
      server.sql(
        "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity USING (pid) WHERE application_name = 'penstock'",
      );
    await show(strange.certificate());
    await expect.poll(async () => (await server.sql('SHOW ssl'))[0]?.ssl).toBe('on');
    const frames = [frame(1, [sample(0, T, 1)])];
    const checked = make({ tls: 'verify', tlsCa: ours.path });
    const said = () =>
      checked.write(frames, never).then(
        () => '',
        (error: Error) => error.message,
      );
    expect(await said()).toMatch(
      /^PostgreSQL at 127.0.0.1:\d+ shows a certificate of an authority that is not trusted/,
    );
    await show(ours.certificate(-1));
    await expect.poll(said).toMatch(/shows a certificate that has expired: renew it there/);
    await show(ours.certificate(2, 'DNS:elsewhere'));
    await expect.poll(said).toMatch(/shows a certificate for another name \(.*127\.0\.0\.1/);
    await expect(make({ tls: 'verify' }).write(frames, never)).rejects.toThrow(/an authority that is not trusted/);
    await show(ours.certificate());
    await expect.poll(said).toBe('');
    await checked.close();
    for (const change of [{ tls: 'verify', tlsCa: ours.path }, { tls: 'require' }] as const) {
      const by = { passwordFile: '', passwordCommand: `cat '${join(dir, 'secret')}'` };
      const over = make({ ...change, ...by });
      await over.write(frames, never);
      await expect.poll(encrypted).toEqual([{ ssl: true }]);
      await over.close();
      await expect.poll(encrypted).toEqual([]);
    }
    expect(await values()).toEqual([1]);
    await expect(make({ tls: 'verify', tlsCa: '/nowhere.pem' }).write(frames, never)).rejects.toThrow(/nowhere.pem/);
    await server.sql('ALTER SYSTEM RESET ssl');
    await server.sql('SELECT pg_reload_conf()');
  });

  initdb('history comes back out: pages, types and states', async () => {
    const history = open();
    const frames = [
      frame(
        1,
        Array.from({ length: 10 }, (_, i) => sample(0, T + i * DAY, i / 4, i === 3 ? 0x40000000 : 0)),
      ),
      frame(2, [
        sample(1, T, 2n ** 70n),
        sample(1, T + 1, 2n ** 62n),
        sample(1, T + 2, 7),
        sample(1, T + 3, null, 0x80000000),
      ]),
      frame(3, [sample(2, T, ''), sample(2, T + 1, 'it\'s "x"'), sample(3, T, true), sample(3, T + 1, false)]),
      frame(4, [sample(0, T + 20 * DAY, NaN), sample(0, T + 21 * DAY, -Infinity)]),
    ];
    await forwarder.write(frames, never);
    const first = await history.raw(flow, T, T + 9 * DAY, 4);
    expect(first).toEqual({
      t: [T, T + DAY, T + 2 * DAY, T + 3 * DAY],
      value: [0, 0.25, 0.5, 0.75],
      status: [0, 0, 0, 0x40000000],
      more: true,
    });
    const rest = await history.raw(flow, (first.t.at(-1) ?? 0) + 1, T + 9 * DAY, 5);
    expect([rest.t.length, rest.value.at(-1), rest.more]).toEqual([5, 2, false]);
    expect((await history.raw(flow, T + 20 * DAY, T + 22 * DAY, 9)).value).toEqual([NaN, -Infinity]);
    expect((await history.raw(count, T, T + 9, 9)).value).toEqual([2n ** 70n, 2n ** 62n, 7, null]);
    expect((await history.raw(note, T, T + 9, 9)).value).toEqual(['', 'it\'s "x"']);
    expect((await history.raw(on, T, T + 9, 9)).value).toEqual([true, false]);
    // A whole number beyond 64 bits is corrected by one within: it lies in two tables, and counts once.
    await forwarder.write([frame(5, [sample(1, T, 5)])], never);
    expect((await history.raw(count, T, T + 2, 9)).value).toEqual([5, 2n ** 62n]);
    expect(await history.latest([...names, { id: 'n/none', type: 'double' }])).toEqual([
      { id: flow.id, t: T + 21 * DAY, value: -Infinity, status: 0 },
      { id: count.id, t: T + 3, value: null, status: 0x80000000 },
      { id: note.id, t: T + 1, value: 'it\'s "x"', status: 0 },
      { id: on.id, t: T + 1, value: false, status: 0 },
    ]);
    await history.close();
    await expect(history.latest(names)).rejects.toThrow(/closed/);
  });

  initdb('buckets are those of a plain count, good and finite values alone', async () => {
    const history = open();
    const all = Array.from({ length: 3000 }, (_, i) => {
      const value = [i % 90, NaN, Infinity, null][i % 50 < 47 ? 0 : (i % 50) - 46] as Value;
      return sample(
        i % 2,
        T + i * 7_000_001,
        i % 2 && typeof value === 'number' && !Number.isFinite(value) ? null : value,
        i % 11 ? 0 : 0x80050000,
      );
    });
    await forwarder.write([frame(1, all)], never);
    const width = 600_000_000;
    const [from, to] = [T + 1_234_567, T + 3000 * 7_000_001 - 999];
    const { t } = fixed(from, to, width);
    const ask = { from, to, t, held: true };
    const series = await history.figures([count, flow, note], ask);
    expect(t.length).toBe(36);
    for (const [place, tag] of [
      [1, 0],
      [0, 1],
    ] as const) {
      const expected = t.map((start) => {
        const inside = all.filter(
          (each) => each.tag === tag && each.t >= Math.max(from, start) && each.t < Math.min(to, start + width),
        );
        const good = inside.filter(({ value, status }) => status === 0 && Number.isFinite(value));
        const numbers = good.map(({ value }) => Number(value));
        const sum = numbers.reduce((a, b) => a + b, 0);
        return [inside.length, numbers.length, Math.min(...numbers), Math.max(...numbers), sum];
      });
      // The range ends before the last of the other tag.
      if (expected.at(-1)?.[0] === 0) expected.pop();
      expect(series[place]?.map(({ n, good, min, max, sum }) => [n, good, min, max, sum])).toEqual(expected);
    }
    expect(series[2]).toEqual([]);
    const many = Array.from({ length: MOST }, (_, i) => T + i);
    await expect(history.figures(names, { ...ask, t: many })).rejects.toThrow(/too many: at most 100000/);
    await expect(history.raw(flow, T, T + DAY, 0)).rejects.toThrow(/limit must be/);
    await history.close();
  });

  initdb('a question ends with its signal, and the next one is answered', async () => {
    await forwarder.write([frame(1, [sample(0, T, 1)])], never);
    const history = open();
    const holding = server.sql('BEGIN; LOCK TABLE readings; SELECT pg_sleep(60)').catch(() => 'ended');
    await expect
      .poll(() =>
        server.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'readings'::regclass"),
      )
      .toHaveLength(1);
    const stop = new AbortController();
    const asked = history.raw(flow, T, T + 1, 1, stop.signal);
    const waits = () =>
      server.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'penstock' AND wait_event_type = 'Lock'");
    await expect.poll(waits).toHaveLength(1);
    stop.abort();
    await expect(asked).rejects.toThrow(/abort/i);
    // The server does not go on with it either.
    await expect.poll(waits, { timeout: 10_000 }).toEqual([]);
    await server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'");
    expect(await holding).toBe('ended');
    expect((await history.raw(flow, T, T + 1, 1)).value).toEqual([1]);
    expect(dayOf(T)).toBe(20240);
    await history.close();
  });
});
