// The writing side of history.db: a consumer of the journal in the writer thread. Samples wait in shared memory, where the
// reader sees them at once, until their chunks are written; the position goes into the same transaction, so that a kill
// costs nothing and stores nothing twice: frames from the position on come again, and what is in chunks is known.
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Frame, Micros, Sample, ValueType } from '../../model.ts';
import type { Stored } from '../../consumer.ts';
import { Account } from './account.ts';
import type { Settled } from './account.ts';
import { Believed } from './believed.ts';
import { hourOf, keepable } from './chunks.ts';
import { Commits, GRACE } from './commits.ts';
import { openFile } from './file.ts';
import type { Opened } from './file.ts';
import { Chunks } from './fold.ts';
import { Gone, InPlace } from './inplace.ts';
import { MAX_TAGS } from './open.ts';
import { OpenChunks } from './openchunks.ts';
import { Retention } from './retention.ts';
import type { Store, StoreOptions, StoreStats } from './storing.ts';
import { SET } from './sure.ts';
import { NAME, inWords, makeWay, unreadable } from './unreadable.ts';
import { compact } from './upkeep.ts';

/** ms between two rounds of closing; a round closes a sixtieth of the open tags, but not fewer than so many. */
const ROUND = 5000;
const BATCH = 64;
/** Shares of memory, and of the journal's cap, at which the oldest are closed early, and down to which. */
const FULL = { from: 7 / 8, to: 3 / 4 };
const PINNED = { from: 0.45, to: 0.35 };
/** Samples of history that are worth closing what is open before them, and for each open tag so many. */
const MUCH = 10_000;
const EACH = 100;
const MINUTE = 60_000;

/** Throws when the file cannot be opened, or a newer program wrote it; one that is damaged makes way for a new one. */
export function openStore(options: StoreOptions): Store {
  const { dataDir, clock, say = () => {} } = options;
  try {
    return opened(options);
  } catch (error) {
    if (!unreadable(error)) throw error;
    const name = makeWay(dataDir, clock.now());
    say(
      `history.db is damaged on disk (${error.message}): it was moved to ${name}, and a new one begins with what the journal still holds; put a backup back with penstock restore to have the older samples`,
    );
    return opened(options);
  }
}

function opened(options: StoreOptions): Store {
  const file = openFile(options.dataDir, options.clock.now());
  try {
    const store = new ChunkStore(options, file);
    // Asked for at each start: a file in which that is damaged cannot be begun with.
    store.tags();
    return store;
  } catch (error) {
    file.db.close();
    throw error;
  }
}

class ChunkStore implements Store {
  readonly #options: StoreOptions;
  readonly #db: DatabaseSync;
  readonly #chunks: Chunks;
  readonly #retention: Retention;
  readonly #open: OpenChunks;
  readonly #account: Account;
  readonly #commits: Commits;
  readonly #putTag: StatementSync;
  readonly #begin: StatementSync;
  readonly #believed: Believed;
  readonly #inPlace: InPlace;
  /** Frames of a write that failed half way: what became of their samples. */
  readonly #partial = new Map<number, Stored>();
  readonly #counts = { samples: 0, filtered: 0, trouble: '', broken: false };
  /** In words, once the file has turned out to be damaged. */
  #damage = '';
  #newest = -Infinity;
  #roundAt = -Infinity;
  #minuteAt = -Infinity;
  /** Retention is at it. */
  #removing = false;
  #tending: Promise<void> | undefined;
  #closed = false;

  constructor(options: StoreOptions, { db, aside, orphan }: Opened) {
    this.#options = options;
    const { memory, say = () => {}, retention = 30 * 86_400_000, rollups = 730 * 86_400_000 } = options;
    this.#db = db;
    this.#chunks = new Chunks(db);
    this.#open = new OpenChunks(memory);
    const account = db.prepare('INSERT OR IGNORE INTO account VALUES(1, ?, ?, 0, 0)');
    const fresh = account.run(aside?.position ?? 0, aside?.delivered ?? 0).changes > 0;
    db.prepare('INSERT OR IGNORE INTO begun VALUES(1, ?)').run(fresh ? options.clock.micros() : 0);
    if (aside) say(`the history of an earlier version is no longer read; it was moved to ${aside.name}`);
    if (orphan)
      say(
        `history.db is not there: a new one begins with what the journal still holds. The latest commits of the one that is gone were moved to ${orphan}: it belongs beside that file, by the same name with -wal`,
      );
    const { floor, ...settled } = db.prepare('SELECT position, delivered, filtered, floor FROM account').get() as {
      [name in keyof Settled | 'floor']: number;
    };
    this.#account = new Account({ ...settled });
    this.#retention = new Retention(db, this.#chunks, floor, {
      age: retention * 1000,
      rollups: rollups * 1000,
      bytes: options.bytes ?? 2 ** 31,
    });
    // In a file that an earlier version wrote, where its retention stands says what its clock was.
    const was = fresh || floor === 0 ? options.clock.micros() : floor + retention * 1000;
    this.#believed = new Believed(db, options.clock, was);
    this.#begin = db.prepare('UPDATE begun SET since = ?1 WHERE since > 0 AND since < ?2 AND ?1 >= ?2');
    this.#retention.reopen(options.clock.micros());
    const { since } = db.prepare('SELECT since FROM begun').get() as { since: Micros };
    this.#retention.widen(options.clock.micros(), since);
    this.#inPlace = new InPlace(join(options.dataDir, NAME));
    const [chunks, open, settling] = [this.#chunks, this.#open, this.#account];
    const parts = { chunks, open, account: settling, retention: this.#retention, inPlace: this.#inPlace };
    this.#commits = new Commits(db, parts, options);
    this.#putTag = db.prepare(
      'INSERT INTO tag VALUES(?, ?, ?) ON CONFLICT(idx) DO UPDATE SET id = excluded.id, type = excluded.type WHERE id <> excluded.id OR type <> excluded.type',
    );
  }

  get settled(): Settled {
    return this.#account.settled;
  }

  use(tags: readonly { index: number; id: string; type: ValueType }[]): void {
    this.#commits.transaction(() => {
      for (const { index, id, type } of tags) this.#putTag.run(index, id, type);
    });
  }

  tags(): { index: number; id: string; type: ValueType }[] {
    const rows = this.#db.prepare('SELECT idx, id, type FROM tag ORDER BY idx').all();
    return rows.map(({ idx, id, type }) => ({ index: Number(idx), id: String(id), type: String(type) as ValueType }));
  }

  write(frames: readonly Frame[]): Promise<Stored> {
    try {
      this.#retention.reopen(this.#options.clock.micros());
      const floor = this.#floor();
      for (const frame of frames) if (frame.seq > this.#account.taken) this.#take(frame, floor);
      const sum = { delivered: 0, filtered: 0, deadLettered: 0 };
      for (const { seq, samples } of frames) {
        const { delivered, filtered } = this.#partial.get(seq) ?? { delivered: samples.length, filtered: 0 };
        sum.delivered += delivered;
        sum.filtered += filtered;
      }
      this.#partial.clear();
      return Promise.resolve(sum);
    } catch (error) {
      return Promise.reject(inWords(error));
    }
  }

  tend(): Promise<void> {
    return (this.#tending ??= this.#tend()
      .then(
        () => Object.assign(this.#counts, { trouble: this.#damage, broken: this.#damage !== '' }),
        (error: unknown) => {
          // What is damaged may do for a while, as long as nothing needs that part.
          if (unreadable(error)) this.#damage = inWords(error).message;
          const trouble = this.#damage || inWords(error).message;
          Object.assign(this.#counts, { trouble, broken: this.#damage !== '' || error instanceof Gone });
        },
      )
      .then(() => {
        this.#tending = undefined;
      }));
  }
  shrink(): void {
    this.#retention.shrink(this.#now());
  }
  compact(): Generator<number> {
    return compact(this.#db);
  }

  stats(): StoreStats {
    return {
      ...this.#counts,
      ...this.#commits.counts,
      floor: this.#floor(),
      damaged: this.#chunks.damaged,
      removed: this.#retention.chunksRemoved,
      open: this.#open.samples,
      memory: this.#open.bytes,
      bytes: this.#closed ? 0 : this.#retention.used(),
    };
  }
  /** Puts what is in memory into chunks, within two seconds; the rest comes again from the journal. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#tending;
    const until = performance.now() + 2000;
    try {
      while (performance.now() < until && this.#commits.closeOldest()) await yielded();
      this.#commits.commit([]);
    } catch {
      // A disk that takes nothing, or a file that is gone: the journal has it all.
    }
    this.#closed = true;
    this.#db.close();
  }

  /** The sure time, or the newest sample if that is older: a clock years ahead must not empty the history. */
  #now(): Micros {
    return Math.min(this.#believed.now(), this.#newest);
  }
  #floor(): Micros {
    const { retention = 30 * 86_400_000 } = this.#options;
    // In whole hours, as what is removed is.
    return Math.max(this.#retention.floor, hourOf(this.#believed.now()) - retention * 1000);
  }

  /** One frame, whole or not at all. */
  #take(frame: Frame, floor: Micros): void {
    const { seq, samples, origin } = frame;
    const stored = { delivered: 0, filtered: 0, deadLettered: 0 };
    const fresh: Sample[] = [];
    for (const sample of samples) {
      const { tag, t } = sample;
      if (!keepable(t) || t < floor || !Number.isInteger(tag) || tag < 0 || tag >= MAX_TAGS) {
        stored.filtered++;
        continue;
      }
      stored.delivered++;
      if (t > this.#newest) this.#newest = t;
      if (!this.#commits.has(tag, seq, t)) fresh.push(sample);
    }
    if (this.#makeRoom(fresh)) for (const sample of fresh) this.#open.add(seq, sample);
    else this.#commits.direct(seq, fresh);
    this.#counts.samples += samples.length;
    this.#counts.filtered += stored.filtered;
    this.#partial.set(seq, stored);
    this.#account.take(seq, stored.delivered, stored.filtered, origin !== 'live');
  }
  /** True once memory is free for all these samples; false when it is empty and they do not fit even so. */
  #makeRoom(samples: readonly Sample[]): boolean {
    while (!this.#open.fits(samples)) {
      if (this.#open.tags === 0) return false;
      if (!this.#commits.closeOldest())
        throw new Error('the memory for open chunks is full until the journal is synced');
    }
    return true;
  }
  async #tend(): Promise<void> {
    if (this.#closed) return;
    this.#inPlace.check();
    const { clock, pinned = () => 0 } = this.#options;
    if (this.#open.fullness > FULL.from)
      while (this.#open.fullness > FULL.to && this.#commits.closeOldest()) await yielded();
    if (pinned() > PINNED.from) while (pinned() > PINNED.to && this.#commits.closeOldest()) await yielded();
    await this.#settlePast();
    while (this.#open.urgent.size > 0 && this.#commits.closeTags([...this.#open.urgent], Infinity)) await yielded();
    if (clock.mono() - this.#roundAt >= ROUND) {
      this.#roundAt = clock.mono();
      const over = clock.micros() - GRACE;
      const tags = this.#open.due(over).slice(0, Math.max(BATCH, Math.ceil(this.#open.tags / 60)));
      while (this.#commits.closeTags(tags, over)) await yielded();
    }
    const minute = clock.mono() - this.#minuteAt >= MINUTE;
    if (minute) {
      this.#minuteAt = clock.mono();
      this.#commits.commit([]);
      this.#believed.keep();
      this.#begin.run(clock.micros(), SET);
    }
    // What is far beyond its bytes goes step after step.
    if ((minute || this.#removing) && Number.isFinite(this.#now())) this.#removing = this.#retention.look(this.#now());
    for (let steps = 0; steps < 20 && this.#retention.step(); steps++) await yielded();
  }

  /**
   * The position stands before the oldest sample in memory, and live ones stay there for a quarter of an hour. So that an
   * import behind them does not come again as a whole after a kill, they are closed early where it outweighs them.
   */
  async #settlePast(): Promise<void> {
    const { past, last, live } = this.#account.unsettled;
    if (past < Math.max(MUCH, live, EACH * this.#open.tags)) return;
    await this.#options.sync?.();
    while (this.#commits.closeTags(this.#open.upTo(last), Infinity)) await yielded();
    this.#commits.commit([]);
  }
}

const yielded = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
