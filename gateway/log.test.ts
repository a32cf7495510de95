// The log's three forms: what a terminal, journald and a collector see.
import { expect, test } from 'vitest';
import { createLog, logForm } from './log.ts';

function written(form: 'people' | 'journal' | 'json'): string[] {
  const lines: string[] = [];
  const log = createLog('info', form, (line) => lines.push(line));
  log.debug({}, 'not asked for');
  log.info({ device: 'plc' }, 'plc: online');
  log.error({}, 'data lost');
  return lines;
}

test('journald reads the priority', () => {
  expect(written('journal').map((line) => line.slice(0, 4))).toEqual(['<6>{', '<3>{']);
});
test('people read time, level and sentence', () => {
  expect(written('people')[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}plc: online\n$/);
});
test('a collector reads JSON with the details', () => {
  expect(written('json').map((line) => JSON.parse(line) as object)[0]).toMatchObject({
    level: 30,
    device: 'plc',
    msg: 'plc: online',
  });
});
test('the form follows where the log goes', () => {
  expect([logForm({ JOURNAL_STREAM: '8:1' }, true), logForm({}, true), logForm({}, false)]).toEqual([
    'journal',
    'people',
    'json',
  ]);
});
