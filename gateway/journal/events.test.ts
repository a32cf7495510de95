// The events that are read back from a journal at a start: from which sequence on, and what is said when it cannot.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GatewayEvent } from '../model.ts';
import { eventsSince } from './events.ts';
import { encodeFrame } from './testing.ts';
import { readHead } from './head.ts';
import type { Log } from './log.ts';
import { openSegments } from './segments.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'penstock-events-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const event = (id: string): GatewayEvent => ({ kind: 'clock', id, time: 1, message: 'set back' });
function filled(frames: readonly string[][]): Log {
  const log = openSegments({ dataDir: dir, cap: 1e6 });
  log.add('historian', 1);
  frames.forEach((ids, at) => {
    const bytes = encodeFrame({ origin: 'live', source: 'line', samples: [], events: ids.map(event) }, at + 1, 1);
    const head = readHead(bytes);
    if (!head.ok) throw new Error(head.message);
    log.append(bytes, head.meta);
  });
  return log;
}

test.each<[number, string[]]>([
  [0, ['a', 'b', 'c', 'd']],
  [2, ['c', 'd']],
  [4, ['d']],
  [5, []],
])('events from sequence %i on, in order', (from, ids) => {
  const log = filled([['a', 'b'], [], ['c'], ['d']]);
  expect(eventsSince(log, from)).toEqual({ events: ids.map(event), trouble: '' });
  // Whoever asked leaves no account, and may ask again.
  expect(log.consumers()).toEqual(['historian']);
  expect(eventsSince(log, from).events.length).toBe(ids.length);
});

test('what cannot be read is said, with what could be', () => {
  const log = filled([['a'], ['b']]);
  const { read } = log;
  let reads = 0;
  log.read = (...given) => {
    if (reads++ > 0) throw new Error('the disk is gone');
    return read.call(log, ...given);
  };
  expect(eventsSince(log, 0)).toEqual({ events: [event('a'), event('b')], trouble: 'the disk is gone' });
});
