// Main's side of the journal: a sequence at once, one encoding, one transferred buffer each 50 ms or 256 KiB. Small live
// batches of one source that come within that time share a frame, and so a sequence (gathering.ts).
// Called by the pipeline and the ingest routes; hands bytes to the writer thread, which answers with acknowledgements.
import type { Batch, Clock, Journal } from '../model.ts';
import { ByteWriter } from './bytes.ts';
import { encodeInto } from './frame.ts';
import { Gathering } from './gathering.ts';

/** What the writer says after taking frames in: sequences below `durable` are acknowledged. */
export interface Acknowledgement {
  durable: number;
  /** Bytes taken in since the start, and the slowest consumer's backlog. */
  taken: number;
  backlog: number;
}
export interface JournalOptions {
  clock: Clock;
  /** First sequence to give. */
  start: number;
  /** The journal's cap, bytes: `room` waits above its half. */
  cap: number;
  /** Transfers whole frames to the writer; `urgent` asks for a sync at once. */
  send(bytes: Uint8Array<ArrayBuffer>, urgent: boolean): void;
}

const LINGER = 50;
const BLOCK = 256 * 1024;

export class MainJournal implements Journal {
  revision = 0;
  readonly #options: JournalOptions;
  readonly #out = new ByteWriter(BLOCK + 64 * 1024);
  readonly #gathering = new Gathering();
  #next: number;
  #sent = 0;
  #state: Acknowledgement;
  #flushing: (() => void) | undefined;
  #waiting: { seq: number; resolve(): void; reject(error: Error): void }[] = [];
  #roomy = new Set<() => void>();
  #closed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#next = options.start;
    this.#state = { durable: options.start, taken: 0, backlog: 0 };
  }

  append(batch: Batch): number {
    if (this.#closed) throw new Error('the journal is closed');
    this.#flushing ??= this.#options.clock.after(LINGER, () => this.flush(false));
    const joined = this.#gathering.join(batch, this.#next);
    if (joined !== undefined) {
      if (joined === this.#next) this.#next++;
      return joined;
    }
    this.#encodeGathered();
    encodeInto(this.#out, batch, this.#next, this.revision);
    const seq = this.#next++;
    if (this.#out.length >= BLOCK) this.flush(false);
    return seq;
  }

  /** The sequence that the next batch gets. */
  get next(): number {
    return this.#next;
  }

  /** Rejects when the journal is closed, or the writer lost, before `seq` is acknowledged. */
  durable(seq: number): Promise<void> {
    if (seq < this.#state.durable) return Promise.resolve();
    if (this.#closed) return Promise.reject(new Error('the journal is closed'));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ seq, resolve, reject });
    this.flush(true);
    return promise;
  }

  async room(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw new Error('the journal is closed');
      const pending = this.#sent + this.#out.length - this.#state.taken;
      if (this.#state.backlog + pending <= this.#options.cap / 2) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#roomy.add(resolve);
      const stop = (): void => resolve();
      signal.addEventListener('abort', stop, { once: true });
      await promise;
      signal.removeEventListener('abort', stop);
      this.#roomy.delete(resolve);
    }
  }

  /** Sends everything taken in. */
  flush(urgent: boolean): void {
    this.#flushing?.();
    this.#flushing = undefined;
    this.#encodeGathered();
    this.#sent += this.#out.length;
    if (this.#out.length > 0 || urgent) this.#options.send(this.#out.take(), urgent);
  }

  /** The writer's answer has come. */
  acknowledged(state: Acknowledgement): void {
    this.#state = state;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((waiter) => waiter.seq >= state.durable);
    for (const waiter of waiting) if (waiter.seq < state.durable) waiter.resolve();
    for (const resolve of [...this.#roomy]) resolve();
  }

  #encodeGathered(): void {
    for (const { seq, batch } of this.#gathering.take()) encodeInto(this.#out, batch, seq, this.revision);
  }

  /** Takes no more; call `flush` and let the writer drain first. Whoever still waits hears `reason`. */
  close(reason = 'the journal is closed'): void {
    this.#closed = true;
    this.#flushing?.();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(new Error(reason));
    for (const resolve of [...this.#roomy]) resolve();
  }
}
