// A real QuestDB that can only be had over TLS and with a token that expires, as a proxy in front of it asks for; and one
// whose commits are not durable. Whatever is wrong is one sentence, is tried again, and costs nothing.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { Sample } from '../../model.ts';
import { authority } from '../../test/authority.ts';
import { debtor } from '../../test/debtor.ts';
import { needs } from '../../test/needs.ts';
import { scratch } from '../../test/rig.ts';
import { credentials } from '../credentials.ts';
import { connection } from './http.ts';
import { faultProxy, sectionOf, tagOf, testServer } from './testing.ts';

needs('java', 'mvn', 'openssl')(
  'certificates and tokens that do not fit, and then do: each is said, and nothing is lost',
  async () => {
    const { path: dir, remove } = scratch();
    const ours = authority(dir, 'ours');
    const strange = authority(dir, 'strange');
    const server = await testServer({ settings: { QDB_CAIRO_COMMIT_MODE: 'nosync' } });
    const [tlsCa, tokenFile, said] = [join(dir, 'ca.pem'), join(dir, 'token'), join(dir, 'said')];
    writeFileSync(tokenFile, 'first token\n');
    let accepted = 'first token';
    const asked: string[] = [];
    const proxy = await faultProxy(
      server.url,
      ({ headers }) => {
        asked.push(headers.authorization ?? '');
        if (headers.authorization !== `Bearer ${accepted}`) return { status: 401 };
        headers.authorization = `Basic ${Buffer.from(`${server.user}:${server.password}`).toString('base64')}`;
        return 'pass';
      },
      strange.certificate(),
    );
    const clock = new ManualClock(Date.UTC(2026, 5, 1));
    const section = { ...sectionOf(server), url: proxy.url, tlsCa, user: '', passwordFile: '' };
    const open = (more: Partial<typeof section>, folder: string) =>
      debtor({
        ...{ dataDir: join(dir, folder), clock, tags: [tagOf(0, 'north/pump-1/flow')], name: 'questdb' as const },
        section: { questdb: { ...section, ...more } },
      });
    let debt = await open({ tokenFile }, 'file');
    let n = 0;
    const put = (): void => {
      const sample: Sample = {
        tag: 0,
        t: clock.micros() + n,
        receivedAt: clock.micros(),
        value: n++,
        status: 0,
        flags: 0,
      };
      debt.put({ origin: 'live', source: 'line', samples: [sample], events: [] });
    };
    /** What /health says while it cannot be stored. */
    const failing = async (words: RegExp): Promise<void> => {
      put();
      await debt.sync();
      await debt.pass(Infinity, () => words.test(debt.says()));
      // Not only once: it is tried again.
      const { failures } = debt.health();
      await debt.pass(Infinity, () => debt.health().failures > failures + 1);
      expect(debt.says()).toMatch(words);
      expect(debt.says()).not.toMatch(/token\b.*(first|second|third)|Bearer/);
    };
    const stored = async (): Promise<unknown[]> => {
      await debt.drain();
      await server.applied();
      return (await server.sql('SELECT value FROM readings ORDER BY ts')).map(({ value }) => value);
    };
    const all = (): number[] => Array.from({ length: n }, (_, i) => i);
    try {
      await failing(/the authority's certificate .*ca.pem cannot be read: ENOENT/);
      writeFileSync(tlsCa, 'no certificate');
      await failing(/ca.pem is no PEM file of a certificate/);
      copyFileSync(ours.path, tlsCa);
      await failing(
        /QuestDB at 127.0.0.1:\d+ shows a certificate of an authority that is not trusted \(.+\): name the authority's PEM file in forward.questdb.tlsCa; samples wait/,
      );
      proxy.show(ours.certificate(-1));
      await failing(/shows a certificate that has expired: renew it there/);
      proxy.show(ours.certificate(2, 'DNS:elsewhere'));
      await failing(/shows a certificate for another name \(.*127\.0\.0\.1.*\)/);
      expect(asked).toEqual([]);
      proxy.show(ours.certificate());
      expect(await stored()).toEqual(all());
      expect(debt.says()).toMatch(/^cairo.commit.mode is nosync: .*power cut; set it to sync$/);

      // The token runs out while requests go on: the new one is in the file before, or only later.
      writeFileSync(tokenFile, 'second token');
      accepted = 'second token';
      put();
      const { failures } = debt.health();
      expect(await stored()).toEqual(all());
      expect(debt.health().failures).toBe(failures);
      accepted = 'third token';
      await failing(/does not accept the token \(401\): correct it where the settings say/);
      writeFileSync(tokenFile, 'third token');
      expect(await stored()).toEqual(all());
      expect(debt.account()).toMatchObject({ journalled: n, delivered: n, dropped: 0, deadLettered: 0 });
      await debt.close();

      // By command, which prints user and token together if it likes.
      debt = await open({ tokenCommand: `echo asked >>'${said}'; cat '${tokenFile}'` }, 'command');
      put();
      expect(await stored()).toEqual(all());
      accepted = 'fourth token';
      writeFileSync(tokenFile, JSON.stringify({ token: 'fourth token' }));
      put();
      expect(await stored()).toEqual(all());
      expect(debt.health().failures).toBe(0);
      await debt.close();
    } finally {
      await proxy.close();
      await server.remove();
      remove();
    }
  },
  180_000,
);

needs('java', 'mvn')('a port that does not speak TLS is said', async () => {
  const { path: dir, remove } = scratch();
  mkdirSync(join(dir, 'data'));
  const proxy = await faultProxy('http://127.0.0.1:1', () => 'refuse');
  const who = credentials({ user: '', passwordFile: '', passwordCommand: '' });
  const there = connection({ url: proxy.url.replace('http', 'https'), credentials: who, timeout: 5000 });
  const signal = new AbortController().signal;
  await expect(there.query('SELECT 1', signal)).rejects.toThrow(/does not speak TLS on this port/);
  there.close();
  await proxy.close();
  remove();
});
