// Addresses as the settings write them: what is understood, and what is refused with which sentence. A table of cases.
import { expect, test } from 'vitest';
import { addressOf } from './address.ts';
import type { PostgresSettings } from './address.ts';

const none: PostgresSettings = { url: '', user: '', passwordFile: '', passwordCommand: '', tls: 'off', tlsCa: '' };

test.each<[Partial<PostgresSettings>, object | RegExp]>([
  [{ url: 'postgres://db.plant/history' }, { host: 'db.plant', port: 5432, database: 'history' }],
  [{ url: 'postgresql://10.0.0.5:6432/a%20b' }, { host: '10.0.0.5', port: 6432, database: 'a b' }],
  [{ url: 'postgres://[::1]:5433/history' }, { host: '::1', port: 5433 }],
  [{ url: 'db.plant' }, /is no address of a PostgreSQL/],
  [{ url: 'http://db.plant/history' }, /is no address of a PostgreSQL/],
  [{ url: 'postgres://db.plant' }, /is no address of a PostgreSQL/],
  [{ url: 'postgres://db.plant/a/b' }, /is no address of a PostgreSQL/],
  [
    { url: 'postgres://ada:hidden@db/history' },
    /^forward.postgres.url holds a user or a password: give .*passwordFile/,
  ],
  [{ url: 'postgres://db/history?sslmode=require' }, /forward.postgres.tls/],
  [{ url: 'postgres://db/history', user: 'ada' }, /forward.postgres.user has no password/],
])('%o', (given, expected) => {
  const address = (): object => addressOf({ ...none, ...given }, 'forward.postgres');
  if (expected instanceof RegExp) {
    expect(address).toThrow(expected);
    expect(address).not.toThrow(/hidden/);
  } else expect(address()).toMatchObject(expected);
});
