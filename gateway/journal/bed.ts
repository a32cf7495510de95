// A test bed of logs on disk: each test has a folder of its own and may open the log of several lives in it.
// Used by segments.test.ts and damage.test.ts.
import { afterEach, beforeEach, expect } from 'vitest';
import type { Log } from './log.ts';
import { openSegments } from './segments.ts';
import type { DiskLog, SegmentsOptions } from './segments.ts';
import { numbered, scratch } from './testing.ts';

/** Bytes of a frame of `numbered`. */
export const FRAME = numbered(1).bytes.length;

interface DiskLogs {
  place(): ReturnType<typeof scratch>;
  /** The log in the test's folder, closed when the test is over. */
  open(options?: Partial<SegmentsOptions>): DiskLog;
  /** Ends as a killed process does: files stay as they are and nothing is stored any more. */
  leave(log: DiskLog): void;
}

export function diskLogs(): DiskLogs {
  let place: ReturnType<typeof scratch>;
  let opened: DiskLog[];
  beforeEach(() => {
    place = scratch();
    opened = [];
  });
  afterEach(async () => {
    for (const log of opened) await log.close();
    place.clear();
  });
  return {
    place: () => place,
    open(options = {}) {
      const log = openSegments({ dataDir: place.dir, cap: 1e9, ...options });
      opened.push(log);
      return log;
    },
    leave: (log) => void opened.splice(opened.indexOf(log), 1),
  };
}

export function expectSum(log: Log, name: string): void {
  const { journalled, delivered, dropped, backlog } = log.account(name);
  expect(journalled).toBe(delivered + dropped + backlog.samples);
}
