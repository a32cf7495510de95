// A time zone's local times: an instant as its clocks show it, and what their reading means. Pure but for the system's
// zone table. Used where files are read (intake) and written (export), so that both state their zone the same way.
import type { Micros } from '../model.ts';

const quarter = 900_000;
const day = 86_400_000;

export interface Zone {
  name: string;
  /** Minutes ahead of UTC at an instant in ms. */
  offset(ms: number): number;
  /** The instant in ms of a local time given as if it were UTC. A time that comes twice is the first, one left out by a change of clocks the one as long after it. */
  instant(local: number): number;
  /** How often clocks show a local time: not at all when they skip it going forward, twice when they go back. */
  times(local: number): 0 | 1 | 2;
  /** ISO 8601 with the offset, to the ms or where there are digits below to the µs. */
  text(t: Micros): string;
}

// What was looked up stays for the next request: a look at the system's table takes longer than all else of a row.
const zones = new Map<string, Zone>();

/** @param name IANA, such as Europe/Berlin; undefined when there is no such zone */
export function zoneOf(name: string): Zone | undefined {
  if (/^(utc|z|gmt|etc\/utc)$/i.test(name)) return fixed;
  let zone = zones.get(name);
  if (!zone) {
    try {
      zone = tableOf(name);
    } catch {
      return undefined;
    }
    if (zones.size >= 50) zones.clear();
    zones.set(name, zone);
  }
  return zone;
}

/** Throws RangeError when there is no such zone. */
function tableOf(name: string): Zone {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: name,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' },
  });
  const look = (ms: number): number => {
    const at = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day: date = 1, hour = 0, minute = 0, second = 0 } = at;
    return (Date.UTC(year, month - 1, date, hour, minute, second) - ms) / 60_000;
  };
  const kept = (width: number): ((ms: number) => number) => {
    const known = new Map<number, number>();
    return (ms) => {
      const block = Math.floor(ms / width);
      let minutes = known.get(block);
      if (minutes === undefined) {
        minutes = look(block * width);
        if (known.size > 10_000) known.clear();
        known.set(block, minutes);
      }
      return minutes;
    };
  };
  // Clocks change on quarter hours, and hardly ever: a day that begins and ends alike has no change in it.
  const [byDay, byQuarter] = [kept(day), kept(quarter)];
  const offset = (ms: number): number => {
    const minutes = byDay(ms);
    return minutes === byDay(ms + day) ? minutes : byQuarter(ms);
  };
  return {
    name,
    offset,
    instant(local) {
      const [before, after] = [offset(local - day), offset(local + day)];
      for (const minutes of before === after ? [before] : [Math.max(before, after), Math.min(before, after)]) {
        const ms = local - minutes * 60_000;
        if (offset(ms) === minutes) return ms;
      }
      return local - before * 60_000;
    },
    times(local) {
      const [before, after] = [offset(local - day), offset(local + day)];
      if (before === after) return 1;
      const shows = (minutes: number): number => (offset(local - minutes * 60_000) === minutes ? 1 : 0);
      return (shows(before) + shows(after)) as 0 | 1 | 2;
    },
    text: (t) => shown(t, offset(Math.floor(t / 1000))),
  };
}

const fixed: Zone = {
  ...{ name: 'UTC', offset: () => 0, instant: (local) => local, times: () => 1, text: (t) => shown(t, 0) },
};
export const utc: Zone = fixed;

function shown(t: Micros, minutes: number): string {
  const ms = Math.floor(t / 1000);
  const below = t - ms * 1000;
  const local = new Date(ms + minutes * 60_000).toISOString().slice(0, -1);
  const digits = below === 0 ? '' : String(below).padStart(3, '0');
  if (minutes === 0) return `${local}${digits}Z`;
  const ahead = Math.abs(minutes);
  const two = (part: number): string => String(Math.floor(part)).padStart(2, '0');
  return `${local}${digits}${minutes < 0 ? '-' : '+'}${two(ahead / 60)}:${two(ahead % 60)}`;
}
