// What one run says to the link: readings in batches, proof of life after them, and the edges online and offline.
// Called by the driver for whatever the feeds hear; nothing good is ever said while offline.
import type { DataValue } from 'node-opcua-client';
import type { Link } from '../../driver.ts';
import type { Reading } from '../../model.ts';
import { overflowed, toReading } from './datavalue.ts';
import type { Feed, Watch } from './feed.ts';

/** ms between reports of the counters. */
const REPORT = 5_000;
/**
 * ms after a cut in which a message with values proves nothing of the others: the server hands over what it has queued,
 * in several messages, and a value that is not in this one may be in the next. A keep-alive says the queue is empty.
 */
const CATCH_UP = 2_000;

export class Voice {
  online = false;
  /** False from a cut until the server is heard again. */
  connected = true;
  readonly #link: Link;
  readonly #feeds: readonly Feed[];
  /** Feeds whose last message proved that all their values hold. */
  readonly #heard = new Set<Feed>();
  /** The server was heard since the last flush. */
  #awake = false;
  #caughtUp = -Infinity;
  #readings: Reading[] = [];
  #scheduled = false;
  #closed = false;
  #opened = false;
  #offlineSince: number | undefined;
  #reported = -Infinity;
  #values = 0;
  #publications = 0;
  #lost = 0;
  #reconnects = 0;

  constructor(link: Link, feeds: readonly Feed[]) {
    this.#link = link;
    this.#feeds = feeds;
  }

  /** ms since the server was last heard, 0 while online. */
  get offlineFor(): number {
    return this.#offlineSince === undefined ? 0 : this.#link.clock.mono() - this.#offlineSince;
  }

  value(watch: Watch, data: DataValue): void {
    const reading = toReading(watch.point.tag, watch.point.type, data);
    this.#values++;
    if (overflowed(reading.status)) this.#lost++;
    this.#readings.push(reading);
    this.#schedule();
  }
  refused(watch: Watch, status: number): void {
    this.#link.log('warn', `the server refused ${watch.point.id}: 0x${status.toString(16).padStart(8, '0')}`, {
      node: watch.point.address.node,
    });
    this.#readings.push({ tag: watch.point.tag, value: null, status });
    this.#schedule();
  }
  heard(feed: Feed, news: boolean): void {
    this.#publications++;
    this.#awake = true;
    const catchingUp = !this.online || this.#link.clock.mono() < this.#caughtUp;
    if (!news || !catchingUp) this.#heard.add(feed);
    // The values of a publication are handed over after it: its proof of life must not be said before them.
    if (news) this.#schedule();
    else this.#flush();
  }
  /** Everything is subscribed. */
  opened(): void {
    this.#opened = true;
    this.#goOnline();
    this.#schedule();
  }
  lost(reason: string): void {
    if (this.#closed || !this.#opened) return;
    this.connected = false;
    if (!this.online) return;
    this.#flush();
    this.online = false;
    this.#offlineSince = this.#link.clock.mono();
    this.#link.offline(reason);
  }
  /**
   * Called about once a second. All feeds silent for longer than they may be: the server is lost for now. One of several
   * silent: its subscription is dead though the connection lives, and nothing but a new run helps: returns the reason.
   */
  check(): string | undefined {
    const now = this.#link.clock.mono();
    const silent = this.#feeds.filter((feed) => now - feed.lastHeard > feed.patience);
    const first = silent[0];
    if (first && this.online) {
      const reason = `no answer for ${Math.round((now - first.lastHeard) / 1000)} s`;
      if (silent.length < this.#feeds.length) return `a subscription has fallen silent: ${reason}`;
      this.lost(reason);
    }
    if (now - this.#reported >= REPORT) this.#report(now);
    return undefined;
  }
  close(): void {
    this.#flush();
    this.#closed = true;
  }

  #report(now: number): void {
    this.#reported = now;
    this.#link.report({
      values: this.#values,
      publications: this.#publications,
      lost_samples: this.#lost,
      sequence_gaps: this.#feeds.reduce((sum, feed) => sum + feed.gaps, 0),
      refused_tags: this.#feeds.reduce((sum, feed) => sum + feed.refused.length, 0),
      reconnects: this.#reconnects,
    });
  }
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }
  #goOnline(): void {
    if (this.online || this.#closed) return;
    this.online = true;
    this.connected = true;
    if (this.#offlineSince !== undefined) {
      this.#reconnects++;
      this.#caughtUp = this.#link.clock.mono() + CATCH_UP;
    }
    this.#offlineSince = undefined;
    // Each feed has its whole patience again; only one of them has been heard yet.
    for (const feed of this.#feeds) feed.lastHeard = this.#link.clock.mono();
    this.#link.online();
  }
  #flush(): void {
    if (this.#closed || !this.#opened) return;
    if (!this.online) {
      if (!this.#awake) return;
      this.#goOnline();
    }
    this.#awake = false;
    if (this.#readings.length > 0) {
      const readings = this.#readings;
      this.#readings = [];
      this.#link.emit(readings);
    }
    for (const feed of this.#heard) this.#link.alive(feed.alive, this.#link.clock.micros());
    this.#heard.clear();
  }
}
