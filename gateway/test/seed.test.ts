// `penstock seed` into a real gateway on config/demo whose devices are away: what is filed is there once, however often it
// is seeded, cut short or killed, and after a kill it does not all come again.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plants } from '../../simulators/plants/index.ts';
import { readLedger } from '../cli/ledger.ts';
import type { Dict, WireLedger } from '../web/wire.ts';
import { drained, expectSums } from './ledger.ts';
import { eventually, get, historyOf, root, scratch, startGateway } from './rig.ts';
import type { Gateway } from './rig.ts';

const folder = scratch();
const site = plants[0]?.site.id ?? '';
/** µs: what is looked at ends before the time that is still filled. */
const until = (Date.now() - 3_600_000) * 1000;
let gateway: Gateway;
const start = async (): Promise<void> => {
  gateway = await startGateway('run', ['--config', join(root, 'config', 'demo')], folder.path);
};
beforeAll(start, 60_000);
afterAll(async () => {
  await gateway?.stop();
  folder.remove();
});

/** @param stop when to press Ctrl-C */
async function seed(hours: number, stop?: () => Promise<unknown>): Promise<{ code: number | null; out: string }> {
  const script = join(root, 'gateway/main.ts');
  const args = [script, 'seed', '--data', folder.path, '--sites', site, '--hours', String(hours)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', VITEST: '' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part));
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  await stop?.().then(() => child.kill('SIGINT'));
  return { code: await code, out };
}
const journalled = async (): Promise<number> => {
  const { sources } = await get<WireLedger>(`${gateway.http}/api/v1/ledger`);
  return sources.find(({ source }) => source === 'seed')?.journalled ?? 0;
};
/** Of the first tag of the site that has any: how many samples, and how many times among them. */
async function held(tag: string): Promise<[samples: number, times: number]> {
  const rows = await historyOf(gateway.http, tag, 0, until);
  return [rows.length, new Set(rows.map(({ t }) => t)).size];
}

test(
  'what is seeded is there once: seeded again, stopped by Ctrl-C, or killed right after it',
  { timeout: 240_000 },
  async () => {
    const first = await seed(24);
    const [, filed = 0, rejected = NaN] = (/^(\d+) filed, (\d+) rejected/.exec(first.out) ?? []).map(Number);
    expect([first.code, rejected]).toEqual([0, 0]);
    expect(filed).toBeGreaterThan(30_000);
    expect(await journalled()).toBe(filed);
    expectSums(await drained(gateway.http));
    const { tags } = await get<Dict>(`${gateway.http}/api/v1/dict`);
    const tag = tags.find(({ id, type }) => id.startsWith(`${site}/`) && type === 'double')?.id ?? '';
    const [samples, times] = await held(tag);
    expect(samples).toBeGreaterThan(1000);
    expect(times).toBe(samples);

    // By the history's own word: less than what it has not stored comes again.
    const db = new DatabaseSync(join(folder.path, 'history.db'), { readOnly: true });
    const stored = (): number => Number(db.prepare('SELECT delivered FROM account').get()?.delivered);
    await eventually(stored, (delivered) => delivered >= filed, 60_000);
    db.close();
    gateway.child.kill('SIGKILL');
    await gateway.exited;
    const left = await readLedger(folder.path);
    expectSums(left);
    expect(left.consumers.find(({ consumer }) => consumer === 'historian')?.backlog).toBeLessThan(filed / 4);
    await start();
    expectSums(await drained(gateway.http));
    expect(await held(tag)).toEqual([samples, samples]);

    const again = await seed(24);
    expect(again.code).toBe(0);
    expectSums(await drained(gateway.http, 'historian', 60_000));
    const [more, moreTimes] = await held(tag);
    expect(moreTimes).toBe(more);
    // Its grid begins at another moment, or it is the same: never each sample twice.
    expect(more).toBeLessThan(samples + 10);

    const before = await journalled();
    const cut = await seed(24 * 14, () => eventually(journalled, (count) => count > before, 60_000));
    expect([cut.code, cut.out]).toEqual([130, expect.stringContaining('stopped before the end')]);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('seed-'))).toEqual([]);
    expectSums(await drained(gateway.http, 'historian', 60_000));
    const [all, allTimes] = await held(tag);
    expect(allTimes).toBe(all);
  },
);
