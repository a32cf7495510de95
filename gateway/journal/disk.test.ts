// Which step a free size means, on small and large disks and on the way back, and what is said at each. Tables.
import { describe, expect, test } from 'vitest';
import { journalCap, limitOf, nextStep, sayStep } from './disk.ts';
import type { DiskStep } from './disk.ts';

const total = 10e9;
const at = (percent: number): { free: number; total: number } => ({ free: (percent / 100) * total, total });

describe('steps on a disk of 10 GB', () => {
  test.each<[DiskStep, number, DiskStep]>([
    ['ok', 100, 'ok'],
    ['ok', 15, 'ok'],
    ['ok', 14.9, 'warn'],
    ['ok', 7.9, 'drop'],
    ['ok', 0, 'stop'],
    ['warn', 15.5, 'warn'],
    ['warn', 16.9, 'warn'],
    ['warn', 17, 'ok'],
    ['warn', 7.9, 'drop'],
    ['drop', 8.1, 'drop'],
    ['drop', 9.9, 'drop'],
    ['drop', 10, 'warn'],
    ['drop', 16.9, 'warn'],
    ['drop', 17, 'ok'],
    ['stop', 4, 'stop'],
    ['stop', 5.9, 'stop'],
    ['stop', 6, 'drop'],
    ['stop', 9.9, 'drop'],
    ['stop', 10.1, 'warn'],
    ['stop', 50, 'ok'],
  ])('%s with %s %% free: %s', (before, percent, after) => {
    expect(nextStep(before, at(percent))).toBe(after);
  });
});

test('on a large disk a size is plenty, whatever its share', () => {
  const large = 4e12;
  expect(nextStep('ok', { free: 20e9, total: large })).toBe('ok');
  expect(nextStep('ok', { free: 16e9, total: large })).toBe('warn');
  expect(nextStep('ok', { free: 8e9, total: large })).toBe('drop');
  expect(nextStep('ok', { free: 4e9, total: large })).toBe('stop');
  expect(nextStep('stop', { free: 6e9, total: large })).toBe('stop');
  expect(nextStep('stop', { free: 7e9, total: large })).toBe('drop');
});

test.each<[string, DiskStep, number, number, number]>([
  ['the cap as long as there is room', 'warn', 12, 100e6, 1e9],
  ['what is kept and may be added before the last step', 'drop', 7, 100e6, 400e6],
  ['less than what is kept when that is too much', 'stop', 3, 300e6, 200e6],
  ['never less than is needed', 'stop', 0, 100e6, 16e6],
  ['never more than the cap', 'drop', 20, 300e6, 1e9],
])('the journal may keep %s', (_name, step, percent, kept, expected) => {
  expect(journalCap(step, at(percent), kept, 1e9, 16e6)).toBeCloseTo(expected, 0);
});

test('each step says what is the matter, with figures, and what comes next', () => {
  expect(sayStep('ok', at(50))).toBe('');
  expect(sayStep('warn', at(14.2))).toMatch(/filling up: 1\.4 GB of 10\.0 GB \(14\.2 %\).*below 800 MB/);
  expect(sayStep('drop', at(7))).toMatch(/nearly full: 700 MB .*dropped.*below 400 MB/);
  expect(sayStep('stop', at(1))).toMatch(/full: 100 MB .*no longer stored.*make room/);
  expect(limitOf('warn', total)).toBe(1.5e9);
});
