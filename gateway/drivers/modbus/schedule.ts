// When each block is asked: fixed-rate grids with spread phases, refused blocks cut smaller, holes remembered.
// Used by the driver, which asks `next` and says what came of it; pure apart from the clock it is given.
import { phaseOf } from '../every.ts';
import { parts, plan } from './plan.ts';
import type { Block, PlanLimits } from './plan.ts';
import type { Place } from './schema.ts';

/** A register that a device refused is asked again this much later: firmware changes, and so does the map. */
const retest = 3_600_000;

interface Slot {
  block: Block;
  /** Grid: origin + n × interval. */
  origin: number;
  due: number;
  /** Refused although it is a single value. */
  refused: boolean;
}

export class Schedule {
  overruns = 0;
  readonly #places: readonly Place[];
  readonly #limits: PlanLimits;
  #slots: Slot[] = [];

  constructor(places: readonly Place[], limits: PlanLimits) {
    this.#places = places;
    this.#limits = limits;
    this.#slots = plan(places, limits).map((block) => ({ block, origin: 0, due: 0, refused: false }));
  }

  /** Everything is due now, then on its grid. Cut blocks stay cut; a refused register is asked again: a new link may be a new device. */
  start(now: number): void {
    for (const slot of this.#slots) {
      slot.origin = now + phaseOf(`${slot.block.unitId}/${slot.block.table}/${slot.block.from}`, slot.block.interval);
      slot.due = now;
    }
  }

  /** The block that is due first, and when (monotonic ms); rests say how long a unit is left alone. */
  next(restsUntil: (unitId: number) => number): { block: Block; due: number } | undefined {
    let first: { block: Block; due: number } | undefined;
    for (const { block, due } of this.#slots) {
      const at = Math.max(due, restsUntil(block.unitId));
      if (!first || at < first.due) first = { block, due: at };
    }
    return first;
  }

  /**
   * The block was asked: its next turn is the next place on its grid. Places missed are counted, not made up for;
   * those before `restedUntil` were left out on purpose.
   */
  asked(block: Block, now: number, restedUntil = 0): void {
    const slot = this.#slot(block);
    if (!slot) return;
    const steps = Math.floor((now - slot.origin) / block.interval) + 1;
    const next = slot.origin + Math.max(steps, 0) * block.interval;
    const missed = Math.round((next - Math.max(slot.due, restedUntil)) / block.interval) - 1;
    if (slot.due > 0 && missed > 0) this.overruns += missed;
    slot.due = next;
  }

  /** A read through `due` on the grid went wrong in a way that passes soon: ask again after `ms`. */
  again(block: Block, now: number, ms: number): void {
    const slot = this.#slot(block);
    if (slot) slot.due = now + ms;
  }

  /** The device refuses the block's addresses: it is cut in parts, due now. True when it was a single value, which then rests. */
  refuse(block: Block, now: number): boolean {
    const slot = this.#slot(block);
    if (!slot) return false;
    const smaller = parts(block);
    if (smaller.length < 2) {
      slot.refused = true;
      slot.due = now + retest;
      return true;
    }
    this.#slots = this.#slots.filter((other) => other !== slot);
    for (const part of smaller) this.#slots.push({ block: part, origin: slot.origin, due: now, refused: false });
    return false;
  }

  /** A register that was refused has answered: back on its grid; when it was the last one, the plan is made anew and whole. */
  healed(block: Block, now: number): void {
    const slot = this.#slot(block);
    if (!slot?.refused) return;
    slot.refused = false;
    if (this.#slots.some((other) => other.refused)) return;
    this.#slots = plan(this.#places, this.#limits).map((whole) => ({
      block: whole,
      origin: now,
      due: now + whole.interval,
      refused: false,
    }));
  }

  #slot(block: Block): Slot | undefined {
    return this.#slots.find((slot) => slot.block === block);
  }
}
