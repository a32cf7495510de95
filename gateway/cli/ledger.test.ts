// `penstock ledger` on the data folder of a gateway that does not run: the sums, its exit code, and that it changes nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diskFiles } from '../journal/files.ts';
import { encodePositions, loadPositions } from '../journal/positions.ts';
import type { Position } from '../journal/positions.ts';
import { lockDataDir } from '../state/lock.ts';
import { expectSums } from '../test/ledger.ts';
import { root } from '../test/rig.ts';
import { openWriter } from '../writer.ts';
import { readLedger } from './ledger.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'penstock-ledger-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Ten samples of a source that says it has seen twelve. */
async function written(): Promise<void> {
  const writer = await openWriter({ dataDir: dir, onDeath: (error) => expect.fail(error.message) });
  const { indexes, revision } = await writer.assign([{ id: 'n/a', type: 'double' }]);
  const tag = indexes.get('n/a')!;
  await writer.use([{ index: tag, id: 'n/a', type: 'double' }], revision);
  await writer.attach(['store']);
  const now = Date.now() * 1000;
  const samples = Array.from({ length: 10 }, (_, n) => ({
    ...{ tag, t: now + n, receivedAt: now, value: n, status: 0, flags: 0 },
  }));
  const counts = { received: 12, made: 0, rejected: 1, filtered: 0, shed: 0, journalled: 10, merged: 1 };
  const seq = writer.journal.append({ origin: 'live', source: 'line', samples, events: [], counts });
  await writer.journal.durable(seq);
  await writer.close();
}
/** One consumer's stored position, changed. */
function tamper(consumer: string, change: (position: Position) => Partial<Position>): void {
  const folder = join(dir, 'journal');
  const { positions } = loadPositions(diskFiles, folder);
  const position = positions!.consumers.get(consumer)!;
  positions!.consumers.set(consumer, { ...position, ...change(position) });
  writeFileSync(join(folder, 'positions'), encodePositions(positions!));
}
const contents = (): Record<string, string> =>
  Object.fromEntries(
    ['journal', '.'].flatMap((folder) =>
      readdirSync(join(dir, folder), { withFileTypes: true })
        // SQLite's own files for readers, and the lock.
        .filter((entry) => entry.isFile() && !/^(lock|pid)|-shm$|-wal$/.test(entry.name))
        .map(({ name }) => [
          name,
          createHash('sha256')
            .update(readFileSync(join(dir, folder, name)))
            .digest('hex'),
        ]),
    ),
  );
const command = (...args: string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [join(root, 'gateway', 'main.ts'), 'ledger', '--data', dir, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', VITEST: '' },
  });

test('every sum is told, and nothing is changed', async () => {
  await written();
  const before = contents();
  const ledger = await readLedger(dir);
  expectSums(ledger);
  expect(ledger.sources).toMatchObject([{ source: 'line', received: 12, journalled: 10, inJournal: 10 }]);
  expect(ledger.consumers).toMatchObject([
    { consumer: 'historian', journalled: 10, delivered: 10, backlog: 0 },
    { consumer: 'store', journalled: 10, delivered: 0, backlog: 10 },
  ]);
  expect(contents()).toEqual(before);
  const { status, stdout } = command('--json');
  expect(status).toBe(0);
  expect(JSON.parse(String(stdout))).toMatchObject({ holds: true, sources: ledger.sources });
  expect(contents()).toEqual(before);
});

test('a sum that does not hold ends with code 1, and says which and by how much', async () => {
  await written();
  tamper('store', ({ delivered }) => ({ delivered: delivered + 3 }));
  expect((await readLedger(dir)).consumers[1]).toMatchObject({ consumer: 'store', holds: false });
  const { status, stdout } = command();
  expect(status).toBe(1);
  expect(stdout).toContain('store: journalled 10 is not delivered 3 +');
  expect(stdout).toContain('3 are too many on the right');
});

test('a folder without a journal, or in use without an answer, is refused in words', async () => {
  await expect(readLedger(join(dir, 'nowhere'))).rejects.toThrow(/no gateway's journal in .*--data/);
  await written();
  const lock = lockDataDir(dir);
  await expect(readLedger(dir)).rejects.toThrow('in use by another penstock');
  lock.release();
});
