// `penstock dead-letters`: the rows that stores elsewhere refused for good. Called by main; reads the files itself, also
// while a gateway runs, and sends rows again through the running daemon's import, so that every store gets them anew.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deadLetters, listDeadLetters, readDeadLetters, takeDeadLetters } from '../historian/dead-letters.ts';
import type { DeadLetter } from '../historian/dead-letters.ts';
import { counted } from '../words.ts';
import { importFile } from './import.ts';
import { argumentsOf, dataFolder, WrongUse } from './wrong-use.ts';

export const deadLettersUsage = `penstock dead-letters list [--json]
penstock dead-letters show STORE [--last N]
penstock dead-letters replay STORE
  rows that a store elsewhere (questdb, postgres) refused for good, kept in dead-letters/ of the data folder

  list      how many there are of each store, from when, and why
  show      each as a line of JSON, oldest first: reason, table, at (ms) and the row
  replay    files the samples once more, through the running gateway's import: every store gets them anew. Do so when
            the cause is gone. A value that was corrected since is replaced. What is taken in leaves the file; events,
            and what the import refuses, stay.

  --data DIR  the gateway's data folder

  Exit code 0: done; 1: something is left, or it failed.
`;

/** @returns the exit code */
export async function deadLettersCommand(args: string[]): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = argumentsOf(args, {
    data: text,
    last: text,
    json: flag,
    help: { ...flag, short: 'h' },
  });
  if (values.help) {
    console.log(deadLettersUsage);
    return 0;
  }
  const [act = 'list', store = '', ...more] = positionals;
  if (more.length > 0) throw new WrongUse(`dead-letters takes one store, not ${positionals.length - 1}`);
  if (act !== 'list' && store === '')
    throw new WrongUse(`dead-letters ${act}: the store is missing, questdb or postgres`);
  const data = dataFolder(values.data);
  // Without this a misspelt folder would read as good news.
  if (!existsSync(join(data, 'journal')) && !existsSync(join(data, 'dead-letters')))
    throw new Error(`there is no gateway's data in ${data}: name its data folder with --data`);
  if (act === 'list') return list(data, values.json === true);
  const known = await listDeadLetters(data);
  if ((act === 'show' || act === 'replay') && !known.some(({ consumer }) => consumer === store)) {
    const others = known.map(({ consumer }) => consumer).join(', ');
    console.log(`no dead letters of ${store} in ${data}${others ? `; there are some of ${others}` : ''}`);
    return 0;
  }
  if (act === 'show') return show(data, store, Number(values.last ?? Infinity));
  if (act === 'replay') return replay(data, store);
  throw new WrongUse(`dead-letters does not know "${act}": list, show or replay`);
}

async function list(data: string, json: boolean): Promise<number> {
  const found = await listDeadLetters(data);
  if (json) console.log(JSON.stringify(found, null, 2));
  else if (found.length === 0) console.log(`no dead letters in ${data}`);
  else
    for (const { consumer, letters, dropped, unreadable, oldest, newest, reasons } of found) {
      const between = oldest === undefined ? '' : ` from ${iso(oldest)} to ${iso(newest ?? oldest)}`;
      const lost = dropped > 0 ? `; ${counted(dropped, 'older one')} had to make room` : '';
      const strange = unreadable > 0 ? `; ${counted(unreadable, 'line')} cannot be read: cut off or edited` : '';
      console.log(`${consumer}: ${counted(letters, 'row')}${between}${lost}${strange}`);
      for (const [reason, count] of Object.entries(reasons)) console.log(`  ${count} × ${reason}`);
    }
  return 0;
}

async function show(data: string, store: string, last: number): Promise<number> {
  if (!(last >= 1)) throw new WrongUse('--last takes a number of rows');
  let all = 0;
  for await (const _ of readDeadLetters(data, store)) all++;
  let n = 0;
  for await (const letter of readDeadLetters(data, store)) if (n++ >= all - last) console.log(JSON.stringify(letter));
  return 0;
}

/** What the import has taken in is durable before its letter goes. */
async function replay(data: string, store: string): Promise<number> {
  const taken = takeDeadLetters(data, store);
  const rows: DeadLetter[] = [];
  const kept: DeadLetter[] = [];
  for await (const letter of taken.letters) (letter.table === 'events' ? kept : rows).push(letter);
  const events = kept.length;
  if (rows.length > 0) {
    const folder = mkdtempSync(join(data, 'replay-'));
    try {
      const file = join(folder, 'rows.ndjson');
      await writeFile(file, rows.map(({ row }) => `${JSON.stringify(row)}\n`).join(''), { mode: 0o600 });
      const { rejected } = await importFile({
        data,
        file,
        origin: 'import',
        // They were judged when they came in; here it is the store that refused them.
        params: { allowOutOfRange: '1' },
        onReached(_reached, faults) {
          for (const { line, message } of faults) {
            const letter = rows[line - 1];
            if (letter) kept.push({ ...letter, reason: `the import refuses it: ${message}` });
          }
        },
      });
      if (rejected !== kept.length - events) throw new Error(`${rejected} rows were refused, not all of them by name`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  await deadLetters(data, store).append(kept);
  await taken.done();
  const refused = kept.length - events;
  const filed = `${counted(rows.length - refused, 'row')} of ${store} filed once more`;
  const stay = [
    refused > 0 && `${counted(refused, 'row')} refused by the import, which show gives the reason for`,
    events > 0 && `${counted(events, 'event')}, which no import takes`,
  ].filter(Boolean);
  console.log(stay.length > 0 ? `${filed}; left: ${stay.join('; ')}` : filed);
  return kept.length > 0 ? 1 : 0;
}

const iso = (ms: number): string => new Date(ms).toISOString();
