// The ledger's sums added up by an outsider: that they hold is not taken from the gateway's own word. Pure; used by
// the tests' ledger.ts and by the soak, which runs without a test runner.
import type { WireLedger } from '../web/wire.ts';

/** Every sum that does not hold, in words. */
export function brokenSums({ holds, faults, sources, consumers }: WireLedger): string[] {
  const broken = [...faults];
  if (holds !== (faults.length === 0)) broken.push(`"holds" is ${holds} with ${faults.length} faults`);
  for (const { source, received, made, rejected, filtered, shed, journalled, merged, inJournal } of sources) {
    const off = received + made - rejected - filtered - shed - journalled - merged;
    if (off !== 0) broken.push(`${source}: ${off} samples came in or were made and went nowhere`);
    if (journalled !== inJournal) broken.push(`${source}: ${journalled} journalled, ${inJournal} in the journal`);
  }
  for (const { consumer, journalled, delivered, filtered, backlog, deadLettered, dropped, lost } of consumers) {
    const off = journalled - delivered - filtered - backlog - deadLettered - dropped;
    if (off !== 0) broken.push(`${consumer}: ${off} samples were journalled and went nowhere`);
    if ((lost === undefined) !== (dropped === 0)) broken.push(`${consumer}: dropped ${dropped} without a time range`);
  }
  return broken;
}
