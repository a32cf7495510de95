// What the driver knows of each unit behind a link: whether it answers, and when to ask again if not.
// Pure state with times passed in; a dead unit costs one request per backoff period, the others keep their pace.

const firstProbe = 1000;
const longestProbe = 60_000;
/** Requests in a row without answer after which a unit counts as silent. */
const patience = 3;

export class Units {
  readonly #units = new Map<number, { misses: number; silent: boolean; wait: number; until: number }>();
  readonly #random: () => number;

  constructor(unitIds: Iterable<number>, random: () => number) {
    this.#random = random;
    for (const id of unitIds) this.#units.set(id, { misses: 0, silent: false, wait: firstProbe, until: 0 });
  }

  answered(unitId: number): void {
    const unit = this.#units.get(unitId);
    if (unit) Object.assign(unit, { misses: 0, silent: false, wait: firstProbe, until: 0 });
  }

  /** The gateway in between says the unit is not there (exceptions 0A, 0B): no patience needed, but it is no silence of the link. */
  absent(unitId: number, now: number): void {
    this.#rest(unitId, now, false);
  }

  missed(unitId: number, now: number): void {
    const unit = this.#units.get(unitId);
    if (unit && ++unit.misses >= patience) this.#rest(unitId, now, true);
  }

  /** ms on the monotonic clock before which the unit is left alone; 0 when it is asked as planned. */
  restsUntil(unitId: number): number {
    return this.#units.get(unitId)?.until ?? 0;
  }

  /** No unit has answered for a while: the link itself is dead. */
  allSilent(): boolean {
    return [...this.#units.values()].every((unit) => unit.silent);
  }

  #rest(unitId: number, now: number, silent: boolean): void {
    const unit = this.#units.get(unitId);
    if (!unit) return;
    unit.silent = silent;
    unit.until = now + unit.wait * (0.5 + this.#random() / 2);
    unit.wait = Math.min(unit.wait * 2, longestProbe);
  }
}
