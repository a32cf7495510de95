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
  const before = ranges.filter((range) => range.to < from);
  const after = ranges.filter((range) => range.from > to);
  const touched = ranges.slice(before.length, ranges.length - after.length);
  const joined = { from: Math.min(from, touched[0]?.from ?? from), to: Math.max(to, touched.at(-1)?.to ?? to) };
  return [...before, joined, ...after];
}

export const owes = (ranges: readonly Range[], seq: number): boolean =>
  ranges.some((range) => seq >= range.from && seq < range.to);
export const overlaps = (ranges: readonly Range[], { from, to }: Range): boolean =>
  ranges.some((range) => range.from < to && from < range.to);
