// When a unit is left alone, for how long, and when the link itself is given up.
import { expect, test } from 'vitest';
import { Units } from './units.ts';

test('three misses rest a unit, ever longer up to a minute; an answer ends it', () => {
  const units = new Units([1, 2], () => 1);
  expect([units.missed(1, 0), units.missed(1, 0), units.missed(1, 0)]).toEqual([false, false, true]);
  const waits: number[] = [units.restsUntil(1)];
  for (let i = 0; i < 7; i++) {
    units.missed(1, 0);
    waits.push(units.restsUntil(1));
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  expect(units.restsUntil(2)).toBe(0);
  units.answered(1);
  expect(units.restsUntil(1)).toBe(0);
  expect(units.missed(1, 0)).toBe(false);
});

test('the rest is spread by half', () => {
  const units = new Units([1], () => 0);
  units.absent(1, 100);
  expect(units.restsUntil(1)).toBe(600);
});

test('the link is dead when nothing came and every unit was asked; any answer speaks for it', () => {
  const units = new Units([1, 2], () => 0);
  for (let i = 0; i < 5; i++) units.missed(1, 0);
  expect(units.allSilent()).toBe(false);
  units.missed(2, 0);
  expect(units.allSilent()).toBe(true);
  units.absent(2, 0);
  expect(units.allSilent()).toBe(false);
  units.missed(1, 0);
  units.missed(2, 0);
  expect(units.allSilent()).toBe(false);
  units.missed(2, 0);
  expect(units.allSilent()).toBe(true);
});

test('a request is repeated while neither the unit nor the link is in doubt', () => {
  const units = new Units([1, 2], () => 0);
  units.missed(1, 0);
  expect(units.worthRepeating(1)).toBe(true);
  units.missed(1, 0);
  units.missed(1, 0);
  expect(units.worthRepeating(2)).toBe(false);
  units.answered(2);
  expect(units.worthRepeating(2)).toBe(true);
  expect(units.worthRepeating(1)).toBe(false);
});
