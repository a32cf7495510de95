// Sets of sequences as ordered ranges that do not touch. Pure; used by the log and by the egress thread, which holds a
// copy of what its consumers are owed.

/** Sequences [from, to); the last range of a consumer is open (`to` Infinity): everything still to come. */
export interface Range {
  from: number;
  to: number;
}

/** Ranges without the sequences of one. */
export function minus(ranges: readonly Range[], { from, to }: Range): Range[] {
  if (from >= to) return [...ranges];
  const left: Range[] = [];
  for (const range of ranges) {
    if (to <= range.from || from >= range.to) left.push(range);
    else {
      if (range.from < from) left.push({ from: range.from, to: from });
      if (to < range.to) left.push({ from: to, to: range.to });
    }
  }
  return left;
}

/** Ranges with the sequences of one; what touches becomes one. */
export function plus(ranges: readonly Range[], { from, to }: Range): Range[] {
  if (from >= to) return [...ranges];
  if ((ranges.at(-1)?.to ?? -Infinity) < from) return [...ranges, { from, to }];
  const before = ranges.filter((range) => range.to < from);
  const after = ranges.filter((range) => range.from > to);
  const touched = ranges.slice(before.length, ranges.length - after.length);
  const joined = { from: Math.min(from, touched[0]?.from ?? from), to: Math.max(to, touched.at(-1)?.to ?? to) };
  return [...before, joined, ...after];
}

/** Ranges without the sequences of others, which are ordered too: one pass over both. */
export function without(ranges: readonly Range[], gone: readonly Range[]): Range[] {
  const left: Range[] = [];
  let i = 0;
  for (const { from, to } of ranges) {
    let at = from;
    while (i < gone.length && (gone[i] as Range).to <= at) i++;
    for (let j = i; j < gone.length && (gone[j] as Range).from < to; j++) {
      const hole = gone[j] as Range;
      if (hole.from > at) left.push({ from: at, to: hole.from });
      at = Math.max(at, hole.to);
    }
    if (at < to) left.push({ from: at, to });
  }
  return left;
}

export const owes = (ranges: readonly Range[], seq: number): boolean =>
  (ranges[after(ranges, seq)]?.from ?? Infinity) <= seq;
export const overlaps = (ranges: readonly Range[], { from, to }: Range): boolean =>
  (ranges[after(ranges, from)]?.from ?? Infinity) < to;

/** Index of the first range that does not end at or below a sequence. */
function after(ranges: readonly Range[], seq: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as Range).to <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
