// What a reading costs on main before the journal's codec: 10,000 tags with limits, one reading each a second.
// `node gateway/node.mjs gateway/bench/pipeline.ts`; prints µs per reading and the share of a core at 10,000 readings/s.
import { ManualClock } from '../clock.ts';
import type { Reading } from '../model.ts';
import { createPipeline } from '../pipeline/pipeline.ts';
import { catalogOf, tagOf } from '../pipeline/plant.ts';
import { Status } from '../status.ts';

const TAGS = 10_000;
const BATCH = 100;
const SECONDS = 200;

const tags = Array.from({ length: TAGS }, (_, n) =>
  tagOf(`north/pump-${Math.floor(n / 10)}/m${n % 10}`, {
    device: `plc-${Math.floor(n / 1000)}`,
    scale: { multiply: 1, divide: 10, offset: 0 },
    alarm: {
      limits: { ll: 5, l: 10, h: 80, hh: 90 },
      deadband: 1,
      onDelay: 5000,
      offDelay: 5000,
      severity: { ll: 'high', l: 'medium', h: 'medium', hh: 'high' },
    },
  }),
);
const clock = new ManualClock();
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let seq = 0;
let shown = 0;
const pipeline = createPipeline({
  catalog: catalogOf(tags),
  clock,
  journal: { append: () => ++seq },
  live: [{ offer: (batch) => (shown += batch.samples.length) }],
  status: new Status(quiet),
});
pipeline.start();
for (let n = 0; n < 10; n++) pipeline.online(`plc-${n}`);

// A small generator of its own, so that Math.random is no part of the figure.
let state = 1;
const noise = (): number => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;

let busy = 0;
let warm = 0;
for (let second = 0; second < SECONDS; second++) {
  const batches: { device: string; readings: Reading[] }[] = [];
  for (let from = 0; from < TAGS; from += BATCH) {
    const readings: Reading[] = [];
    // A tenth of the values lies beyond a limit now and then.
    for (let tag = from; tag < from + BATCH; tag++)
      readings.push({
        tag,
        value: Math.round(480 + 370 * (noise() - 0.5) * (tag % 10 === 0 ? 1.3 : 1)),
        status: 0,
        at: clock.micros() - 1000,
      });
    batches.push({ device: `plc-${Math.floor(from / 1000)}`, readings });
  }
  const began = performance.now();
  for (const { device, readings } of batches) pipeline.ingest(device, readings);
  await clock.advance(1000);
  const took = performance.now() - began;
  if (second < 20) warm += took;
  else busy += took;
}
pipeline.close();
const each = (busy * 1000) / (TAGS * (SECONDS - 20));
console.log(`pipeline: ${each.toFixed(2)} µs a reading, ${each.toFixed(1)} % of a core at 10,000 readings/s`);
console.log(`${shown} samples, ${seq} appends, first 20 s ${((warm * 1000) / (TAGS * 20)).toFixed(2)} µs a reading`);
