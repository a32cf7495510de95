// Pure: what an alarm says to an operator, in one sentence built from the config's names, and the ids of events.
import type { Tag } from '../catalog.ts';
import type { Value } from '../model.ts';
import { isHigh } from './limits.ts';
import type { Level } from './limits.ts';

const limitNames: Record<Level, string> = { ll: 'low-low', l: 'low', h: 'high', hh: 'high-high' };

/** "Temperature 118.2 °C is above the high limit 115 °C" */
export function limitMessage(tag: Tag, value: number, level: Level, limit: number): string {
  const where = value === limit ? 'at' : isHigh(level) ? 'above' : 'below';
  return `${tag.name} ${withUnit(value.toFixed(tag.decimals), tag.unit)} is ${where} the ${limitNames[level]} limit ${withUnit(String(limit), tag.unit)}`;
}

/** @param silence ms without value or sign of life */
export function staleMessage(tag: Tag, silence: number): string {
  return `${tag.name} has had neither a value nor a sign of life for ${Math.round(silence / 1000)} s`;
}

export function lostMessage(device: string, reason: string): string {
  return reason ? `Device ${device} does not answer: ${reason}` : `Device ${device} does not answer`;
}

/** A value as an alarm and JSON can carry it. */
export function plain(value: Value): number | boolean | string | null {
  return typeof value === 'bigint' ? value.toString() : value;
}

function withUnit(text: string, unit: string): string {
  return unit ? `${text} ${unit}` : text;
}

/**
 * Gives ids that are unique and sort by time, also when the clock is set back: time and a counter, base 36.
 * @param last the newest id of the run before, so that a restart never gives one twice
 */
export function eventIds(now: () => number, last = ''): () => string {
  const parts = /^([0-9a-z]{9})([0-9a-z]{4})$/.exec(last);
  let time = parts ? parseInt(parts[1]!, 36) : 0;
  let count = parts ? parseInt(parts[2]!, 36) : 0;
  return () => {
    const present = Math.floor(now());
    if (present > time) {
      time = present;
      count = 0;
    } else if (++count >= 36 ** 4) {
      time++;
      count = 0;
    }
    return time.toString(36).padStart(9, '0') + count.toString(36).padStart(4, '0');
  };
}
