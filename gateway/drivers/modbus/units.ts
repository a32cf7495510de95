// What the driver knows of each unit behind a link: whether it answers, and when to ask again if not.
// Pure state with times passed in; a dead unit costs one request per backoff period, the others keep their pace.

const firstProbe = 1000;
const longestProbe = 60_000;
/** Requests in a row without answer after which a unit counts as silent. */
const patience = 3;

export class Units {
  readonly #units = new Map<number, { misses: number; wait: number; until: number; last: number }>();
  readonly #random: () => number;
  /** Units that left a request unanswered since the link last brought anything, and how many requests that were. */
  readonly #unheard = new Set<number>();
  #inARow = 0;

  constructor(unitIds: Iterable<number>, random: () => number) {
    this.#random = random;
    for (const id of unitIds) this.#units.set(id, { misses: 0, wait: firstProbe, until: 0, last: 0 });
  }

  answered(unitId: number): void {
    this.#heard();
    const unit = this.#units.get(unitId);
    if (unit) Object.assign(unit, { misses: 0, wait: firstProbe, until: 0 });
  }

  /** The gateway in between says the unit is not there (exceptions 0A, 0B): no patience needed, but it is no silence of the link. */
  absent(unitId: number, now: number): void {
    this.#heard();
    this.#rest(unitId, now);
  }

  /** One request was not answered, or not by what was asked. True when the unit is left alone from now on. */
  missed(unitId: number, now: number): boolean {
    const unit = this.#units.get(unitId);
    if (!unit) return false;
    this.#unheard.add(unitId);
    this.#inARow++;
    if (++unit.misses < patience) return false;
    this.#rest(unitId, now);
    return true;
  }

  /** Whether a request that was missed is worth repeating at once: the unit is not at rest, the link not in doubt. */
  worthRepeating(unitId: number): boolean {
    return this.restsUntil(unitId) === 0 && this.#inARow < patience;
  }

  /** ms on the monotonic clock before which the unit is left alone; 0 when it is asked as planned. */
  restsUntil(unitId: number): number {
    return this.#units.get(unitId)?.until ?? 0;
  }

  /** ms on the monotonic clock at which the unit's last rest ended or ends; 0 when it never rested. */
  restedUntil(unitId: number): number {
    return this.#units.get(unitId)?.last ?? 0;
  }

  /** Nothing has come for several requests, though every unit was asked: the link itself is dead. */
  allSilent(): boolean {
    return this.#inARow >= patience && this.#unheard.size === this.#units.size;
  }

  #heard(): void {
    this.#unheard.clear();
    this.#inARow = 0;
  }

  #rest(unitId: number, now: number): void {
    const unit = this.#units.get(unitId);
    if (!unit) return;
    unit.until = now + unit.wait * (0.5 + this.#random() / 2);
    unit.last = unit.until;
    unit.wait = Math.min(unit.wait * 2, longestProbe);
  }
}
