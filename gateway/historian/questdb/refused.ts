// Finds the rows a server refuses among those of one request, by sending ever smaller parts; all others get in.
// Pure but for `post`, which the forwarder hands in. A request is one transaction: refused, nothing of it is stored.
import type { Lines } from './lines.ts';

/** `line`: the row it stumbled over, from 1, if it said so. */
export type Verdict = { ok: true } | { ok: false; reason: string; line?: number };
export interface Refused<Of> {
  of: Of;
  reason: string;
}

/** Sends every row, in order. Rejects when `post` does; resolves with those refused by themselves. */
export async function sendAll<Of>(
  lines: Lines<Of>,
  post: (bytes: Uint8Array) => Promise<Verdict>,
  refused: (row: Refused<Of>) => void,
): Promise<void> {
  /** Parts still to send, the next one last. */
  const parts: [from: number, to: number][] = [[0, lines.rows]];
  for (let part = parts.pop(); part; part = parts.pop()) {
    const [from, to] = part;
    if (from === to) continue;
    const verdict = await post(lines.slice(from, to));
    if (verdict.ok) continue;
    if (to - from === 1) {
      refused({ of: lines.of[from] as Of, reason: verdict.reason });
      continue;
    }
    const row = from + (verdict.line ?? 0) - 1;
    if (row >= from && row < to) parts.push([row + 1, to], [row, row + 1], [from, row]);
    else {
      const middle = (from + to) >> 1;
      parts.push([middle, to], [from, middle]);
    }
  }
}
