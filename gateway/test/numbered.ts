// A process to be killed: the real writer thread, fed with samples that carry a running number in value and time.
// Run by the kill test, the power cut and the soak. Prints `up <first>` when it begins, `ack <n>` when all below n are
// acknowledged, and `at <n> <ms>` when it begins to give n. Told so, it forwards them through the egress thread: to a file,
// or to what the settings say that it is given as JSON.
import { writeSync } from 'node:fs';
import type { EgressOptions } from '../egress.ts';
import type { Durability } from '../journal/segments.ts';
import { openWriter } from '../writer.ts';
import { forwardToFile } from './forward.ts';

const [dataDir = '', first = '0', seed = '1', , durability = 'interval', asking = '0.3', forward = 'no'] =
  process.argv.slice(2);
const onDeath = (error: Error): never => {
  writeSync(2, `${error.stack ?? error.message}\n`);
  process.exit(3);
};
const writer = await openWriter({ dataDir, durability: durability as Durability, onDeath });
const { indexes, revision } = await writer.assign([{ id: 'north/pump-1/flow', type: 'double' }]);
const tag = indexes.get('north/pump-1/flow') as number;
await writer.use([{ index: tag, id: 'north/pump-1/flow', type: 'double' }], revision);
if (forward === 'forward') await forwardToFile(dataDir, writer, { onDeath });
else if (forward !== 'no')
  await forwardToFile(dataDir, writer, {
    onDeath,
    ...(JSON.parse(forward) as Pick<EgressOptions, 'forward' | 'names'>),
  });
writeSync(1, `up ${first}\n`);

let random = Number(seed);
const dice = (): number => (random = (Math.imul(random, 1664525) + 1013904223) >>> 0) / 2 ** 32;
// Times lie in the last hours, a millisecond apart, the same for the same number in every life.
const origin = Number(process.argv[5]);
let next = Number(first);
for (;;) {
  writeSync(1, `at ${next} ${Date.now()}\n`);
  const samples = Array.from({ length: 1 + Math.floor(dice() * 40) }, () => {
    const n = next++;
    return { tag, t: origin + n * 1000, receivedAt: origin, value: n, status: 0, flags: 0 };
  });
  const seq = writer.journal.append({ origin: 'live', source: 'line', samples, events: [] });
  if (dice() < Number(asking)) {
    const upTo = next;
    void writer.journal.durable(seq).then(() => writeSync(1, `ack ${upTo}\n`));
  }
  await new Promise((resolve) => setTimeout(resolve, dice() * 4));
}
