// Places to requests: the fewest legal reads that cover every point. Pure; O(n log n) for the sort, O(n) after it.
// Used by the driver for its polls, for what is left of a block a device refused, and for a read on demand.
import type { Place, Table } from './schema.ts';

export interface Block {
  unitId: number;
  table: Table;
  /** ms between polls. */
  interval: number;
  from: number;
  /** Registers or bits. */
  count: number;
  places: Place[];
}
export interface PlanLimits {
  maxRegisters: number;
  maxGap: number;
  strict: boolean;
}

/** Modbus application protocol V1.1b3, §6.1: most bits of one read. */
const maxBits = 2000;

export function plan(places: readonly Place[], limits: PlanLimits): Block[] {
  const sorted = [...places].sort(
    (a, b) =>
      a.unitId - b.unitId ||
      compare(a.table, b.table) ||
      a.interval - b.interval ||
      a.address - b.address ||
      a.size - b.size,
  );
  const gap = limits.strict ? 0 : limits.maxGap;
  const blocks: Block[] = [];
  let open: Block | undefined;
  for (const place of sorted) {
    const bits = place.table === 'co' || place.table === 'di';
    const most = bits ? maxBits : limits.maxRegisters;
    const end = place.address + place.size;
    const fits =
      open &&
      open.unitId === place.unitId &&
      open.table === place.table &&
      open.interval === place.interval &&
      place.address - (open.from + open.count) <= gap &&
      Math.max(end, open.from + open.count) - open.from <= most;
    if (open && fits) {
      open.count = Math.max(end, open.from + open.count) - open.from;
      open.places.push(place);
    } else {
      const { unitId, table, interval, address: from, size: count } = place;
      open = { unitId, table, interval, from, count, places: [place] };
      blocks.push(open);
    }
  }
  return blocks;
}

/** More parts than this are not made at once: where holes are many, most of them may be legal. */
const mostParts = 8;

/**
 * A block a device refused, in smaller parts: first without its filled holes if that makes few parts, else halved
 * between values. A single point stays whole. One bad register of 125 costs at most 14 requests until it is alone.
 */
export function parts(block: Block): Block[] {
  const tight = plan(block.places, { maxRegisters: 125, maxGap: 0, strict: true });
  if (tight.length > 1 && tight.length <= mostParts) return tight;
  if (block.places.length < 2) return [block];
  // A half lies within the block, so no limit of the device is passed by keeping its holes.
  const within = { maxRegisters: 125, maxGap: 125, strict: false };
  const half = block.places.length >> 1;
  return [...plan(block.places.slice(0, half), within), ...plan(block.places.slice(half), within)];
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
