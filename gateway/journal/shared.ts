// Where the log stands, for other threads: the writer publishes, the egress thread reads without a lock and without waiting.
// Four slots in turn: a reader that was overtaken while it read sees so and reads again; a writer that dies leaves the last.
const FIELDS = 4;
const SLOTS = 4;

/** Sequences are one past the highest written and acknowledged, and the first still kept. */
export interface Ends {
  written: number;
  durable: number;
  first: number;
  /** Changes when frames have moved to another file: a place remembered from before is worth nothing. */
  generation: number;
}

export function sharedEnds(): SharedArrayBuffer {
  return new SharedArrayBuffer((1 + SLOTS * FIELDS) * BigInt64Array.BYTES_PER_ELEMENT);
}

/** For the one thread that writes. What has not changed is not published again; each change wakes `changed`. */
export function publisher(buffer: SharedArrayBuffer): (ends: Ends) => void {
  const cells = new BigInt64Array(buffer);
  let last: Ends | undefined;
  return (ends) => {
    const { written, durable, first, generation } = ends;
    if (last?.written === written && last.durable === durable && last.first === first && last.generation === generation)
      return;
    last = { written, durable, first, generation };
    const version = Atomics.load(cells, 0) + 1n;
    const slot = slotOf(version);
    [written, durable, first, generation].forEach((value, i) => Atomics.store(cells, slot + i, BigInt(value)));
    Atomics.store(cells, 0, version);
    Atomics.notify(cells, 0);
  };
}

/** What was published last, all of one moment; zeros before the first. */
export function readEnds(buffer: SharedArrayBuffer): Ends {
  const cells = new BigInt64Array(buffer);
  for (;;) {
    const version = Atomics.load(cells, 0);
    const slot = slotOf(version);
    const [written = 0, durable = 0, first = 0, generation = 0] = Array.from({ length: FIELDS }, (_, i) =>
      Number(Atomics.load(cells, slot + i)),
    );
    // The slot is written again only after three others.
    if (Atomics.load(cells, 0) - version < SLOTS - 1) return { written, durable, first, generation };
  }
}

const slotOf = (version: bigint): number => 1 + Number(version % BigInt(SLOTS)) * FIELDS;
