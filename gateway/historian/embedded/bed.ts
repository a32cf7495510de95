// A history in a test: a store over real files that can be killed, beside a plain model of what it must hold. Used by the
// tests of the store.
import { expect } from 'vitest';
import { ManualClock } from '../../clock.ts';
import type { Frame, Origin, Sample } from '../../model.ts';
import { folder } from '../../test/folder.ts';
import { openMemory } from './open.ts';
import { openStore } from './store.ts';
import type { Store, StoreOptions } from './storing.ts';
import { allHeld, faultsIn, frameOf } from './testing.ts';
import type { Held } from './testing.ts';

const { signal } = new AbortController();

/** A gateway's history that can be killed: the journal's frames from the stored position on come again. */
export class Life {
  readonly dataDir = folder();
  readonly clock = new ManualClock();
  readonly frames: Frame[] = [];
  readonly model = new Map<number, Map<number, Held>>();
  readonly options: Partial<StoreOptions>;
  memory = openMemory(1 << 20);
  store: Store;
  next = 1;
  durable = Infinity;

  constructor(options: Partial<StoreOptions> = {}) {
    this.options = options;
    this.store = this.open();
  }
  open(): Store {
    const { dataDir, clock, memory } = this;
    return openStore({ dataDir, clock, memory, durable: () => Math.min(this.durable, this.next), ...this.options });
  }
  write(...batches: Sample[][]): Promise<void> {
    return this.file('live', ...batches);
  }
  async file(origin: Origin, ...batches: Sample[][]): Promise<void> {
    const fresh = batches.map((samples) => frameOf(this.next++, samples, origin));
    this.frames.push(...fresh);
    for (const { tag, t, value, status } of batches.flat()) {
      let held = this.model.get(tag);
      if (!held) this.model.set(tag, (held = new Map()));
      held.set(t, { value, status });
    }
    await this.store.write(fresh, signal);
  }
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 5) {
      await this.clock.advance(Math.min(5, left) * 1000);
      await this.store.tend();
    }
  }
  /** As `kill -9` does it: memory is gone, what was committed stays. */
  async kill(): Promise<void> {
    this.memory = openMemory(1 << 20);
    this.store = this.open();
    await this.store.write(
      this.frames.filter(({ seq }) => seq >= this.store.settled.position),
      signal,
    );
  }
  /** Samples journalled below the stored position must be those that the store counts. */
  balance(): { below: number; counted: number } {
    const { position, delivered, filtered } = this.store.settled;
    const below = this.frames.reduce((sum, { seq, samples }) => sum + (seq < position ? samples.length : 0), 0);
    return { below, counted: delivered + filtered };
  }
  check(): void {
    const held = allHeld(this.dataDir, this.memory);
    expect(sorted(held)).toEqual(sorted(this.model));
    expect(faultsIn(this.dataDir)).toEqual([]);
    const { below, counted } = this.balance();
    expect(counted).toBe(below);
  }
}
const sorted = (all: Map<number, Map<number, Held>>): unknown =>
  [...all]
    .filter(([, held]) => held.size > 0)
    .sort((a, b) => a[0] - b[0])
    .map(([tag, held]) => [tag, [...held].sort((a, b) => a[0] - b[0])]);
