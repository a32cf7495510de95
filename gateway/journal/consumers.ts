// The consumers of the log on disk: each one's books, how it joins (new, or where it stood in an earlier run), and what it
// loses when frames go. Owned by segments.ts, which knows when frames come and go.
import type { GatewayEvent, Micros } from '../model.ts';
import type { Stored } from '../consumer.ts';
import { Books, after, noneStored } from './books.ts';
import type { Joining, Own, Settled } from './log.ts';
import type { Position } from './positions.ts';
import { minus, overlaps } from './ranges.ts';
import type { Range } from './ranges.ts';
import type { Segment } from './segment.ts';
import { spared } from './shelf.ts';
import type { Shelf } from './shelf.ts';

/** Samples, and events, that a consumer will never get. */
export interface Drop {
  consumer: string;
  samples: number;
  /** As far as they could be counted; undefined when there are none. */
  events?: number;
  /** Times of samples and events. */
  from: Micros;
  to: Micros;
  /** In words, the end of a sentence. */
  reason: string;
}
export interface ConsumersOptions {
  shelf: Shelf;
  /** Where those of an earlier run stood. */
  positions: Map<string, Position>;
  /** Sequences that no segment held at the start. */
  gaps: readonly (Range & { vanished: boolean })[];
  /** The first sequence of this run. */
  start: number;
  /** Samples journalled so far. */
  journalled(): number;
  dropped(drop: Drop): void;
}

/** Sequences of one segment that are no more, and its sample times. */
interface Damage {
  ranges: readonly Range[];
  from: Micros;
  to: Micros;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #books = new Map<string, Books>();
  /** Damage of which nobody's books know yet. */
  readonly #found: Damage[] = [];

  /** What a consumer of an earlier run has lost meanwhile: said when it is added. */
  readonly #missed = new Map<string, Drop>();

  constructor(options: ConsumersOptions) {
    this.#options = options;
  }

  /** Once, before anything else: whoever was there before holds what it is owed until it is added or removed. */
  meet(): void {
    for (const [name, position] of this.#options.positions)
      this.#books.set(name, this.#again(name, position, undefined));
  }

  of(consumer: string): Books {
    const books = this.#books.get(consumer);
    if (!books) throw new Error(`no consumer ${consumer}`);
    return books;
  }
  names(): string[] {
    return [...this.#books.keys()];
  }
  all(): MapIterator<Books> {
    return this.#books.values();
  }
  add(consumer: string, from: number, joining: Joining): void {
    const { own, order } = joining;
    if (own || !this.#books.has(consumer)) this.#books.set(consumer, this.#joined(consumer, from, own));
    this.of(consumer).liveFirst = order === 'liveFirst';
    const missed = this.#missed.get(consumer);
    this.#missed.delete(consumer);
    if (missed) this.#options.dropped(missed);
  }
  remove(consumer: string): void {
    this.#options.positions.delete(consumer);
    this.#books.delete(consumer);
    this.#missed.delete(consumer);
  }
  positions(durable: number): Map<string, Position> {
    return new Map([...this.#books].map(([name, books]) => [name, books.position(durable)]));
  }

  /** A frame is no more. @returns whether anybody was owed it */
  lose(frame: Settled, reason: string, events: readonly GatewayEvent[]): boolean {
    let owed = false;
    for (const name of this.#books.keys()) owed = this.loseFor(name, frame, reason, events) || owed;
    return owed;
  }
  loseFor(consumer: string, frame: Settled, reason: string, events: readonly GatewayEvent[] = []): boolean {
    const books = this.of(consumer);
    if (!books.lose(frame)) return false;
    const { samples, from, to } = frame;
    this.#drop(books, { consumer, samples, ...(samples > 0 ? { from, to } : noTime), reason }, events);
    return true;
  }
  /** Sequences that are no more are owed to nobody. @returns whether anybody was owed them */
  gone(ranges: readonly Range[], { from, to }: { from: Micros; to: Micros }, reason: string): boolean {
    // To count what is left, segments are read, and what is found damaged then comes here again: all of it is one loss.
    this.#found.push({ ranges, from, to });
    if (this.#found.length > 1) return false;
    let found: Damage[];
    try {
      for (const { owed } of this.#books.values()) this.#options.shelf.held(owed);
    } finally {
      found = this.#found.splice(0);
    }
    let lost = false;
    for (const [consumer, books] of this.#books) {
      const its = found.filter((each) => each.ranges.some((range) => overlaps(books.owed, range)));
      if (its.length === 0) continue;
      lost = true;
      const holes = its.flatMap((each) => each.ranges);
      const left = this.#options.shelf.held(holes.reduce(minus, books.owed));
      const times = { from: Math.min(...its.map((each) => each.from)), to: Math.max(...its.map((each) => each.to)) };
      this.#drop(books, { consumer, samples: books.drop(holes, left, times), ...times, reason });
    }
    return lost;
  }
  /** A segment is about to be removed. */
  removing(segment: Segment, reason: string): void {
    const { from, to } = segment;
    const { shelf } = this.#options;
    const range = { from: segment.base, to: segment.end };
    for (const [consumer, books] of this.#books) {
      if (!overlaps(books.owed, range)) continue;
      // First, because it may find damage, which makes the backlog smaller.
      const share = shelf.shareOf(segment, books.owed, books.backlog);
      const { frames, samples, bytes } = books.backlog;
      const left = { frames: frames - share.frames, samples: samples - share.samples, bytes: bytes - share.bytes };
      const events = books.own ? [] : shelf.eventsIn(segment, books.owed);
      this.#drop(books, { consumer, samples: books.drop([range], left, segment), from, to, reason }, events);
    }
  }

  #drop(books: Books, drop: Drop, events: readonly GatewayEvent[] = []): void {
    const { dropped } = this.#options;
    // The store that keeps its own position takes no events.
    if (events.length === 0 || books.own) {
      if (drop.samples > 0) dropped(drop);
      return;
    }
    books.droppedEvents += events.length;
    const times = events.map(({ time }) => time * 1000);
    const [from, to] = [
      times.reduce((a, b) => Math.min(a, b), drop.from),
      times.reduce((a, b) => Math.max(a, b), drop.to),
    ];
    dropped({ ...drop, events: events.length, from, to });
  }

  #joined(consumer: string, from: number, own: Own | undefined): Books {
    const known = this.#options.positions.get(consumer);
    const { before } = known ?? {};
    // A store that has less than we know of it is a new one under the old name.
    const fresh = own && known && before && all(own) < all(known) + all(before);
    return known && !fresh ? this.#again(consumer, known, own) : this.#anew(from, own);
  }
  /** A consumer the journal has not met. */
  #anew(from: number, own: Own | undefined): Books {
    const { shelf, journalled } = this.#options;
    const owed = this.#existing([{ from: Math.max(from, own?.position ?? 0), to: Infinity }]);
    const backlog = shelf.held(owed);
    const since = journalled() - backlog.samples;
    const { delivered = 0, filtered = 0, deadLettered = 0 } = own ?? {};
    const before = { delivered, filtered, deadLettered };
    const rest = { ...noneStored(), dropped: 0, since, before };
    const books = new Books({ owed: spared(shelf.segments, owed), ...rest }, !!own);
    books.backlog = backlog;
    return books;
  }
  /** A consumer of an earlier run; its own word on where it stands is newer than ours. */
  #again(consumer: string, known: Position, own: Own | undefined): Books {
    const { shelf, journalled, gaps, start } = this.#options;
    this.#missed.delete(consumer);
    const { segments } = shelf;
    const { before } = known;
    const asked = own ? [{ from: own.position, to: Infinity }] : known.owed;
    const counts = own && after(own, before);
    const owed = this.#existing(asked);
    const backlog = shelf.held(owed);
    const books = new Books({ ...known, ...counts, owed: spared(segments, owed) }, !!own);
    books.backlog = backlog;
    const vanished = [{ from: 0, to: segments[0]?.base ?? start }, ...gaps.filter((gap) => gap.vanished)];
    const evidence = [...vanished, ...segments.flatMap((segment) => segment.holes)];
    if (!evidence.some((range) => overlaps(asked, range))) return books;
    // Files of another run that are gone or spoilt: what was in them can only be counted as what is missing.
    const samples = Math.max(0, journalled() - known.since - all(books.counts) - known.dropped - backlog.samples);
    const times = segments.filter((segment) => segment.samples > 0);
    const [from, to] = [times[0]?.from ?? 0, times.at(-1)?.to ?? 0];
    books.missing(samples, { from, to });
    const reason = 'files of the journal are missing or damaged';
    if (samples > 0) this.#missed.set(consumer, { consumer, samples, from, to, reason });
    return books;
  }
  /** Ranges without the sequences that no segment holds. */
  #existing(owed: readonly Range[]): Range[] {
    const { shelf, gaps, start } = this.#options;
    const end = shelf.segments.at(-1)?.end ?? 0;
    const missing: Range[] = [{ from: 0, to: shelf.segments[0]?.base ?? start }, ...gaps];
    if (end < start) missing.push({ from: end, to: start });
    return missing.reduce(minus, [...owed]);
  }
}

const noTime = { from: Infinity, to: -Infinity };
/** All samples that a consumer has settled by itself. */
const all = ({ delivered = 0, filtered = 0, deadLettered = 0 }: Partial<Stored>): number =>
  delivered + filtered + deadLettered;
