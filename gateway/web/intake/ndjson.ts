// A line of NDJSON to a reading, or why not: {"tag","timestamp","value"} with an OPC UA `status` or a `quality`. Pure; used
// by judge.ts for each line.
import { readingOf } from './item.ts';
import type { Fault, Item, Rules, skipped } from './item.ts';
import type { Reading } from '../../model.ts';

export function ofJson(line: string, rules: Rules): Reading | Fault | typeof skipped {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    return { reason: 'not JSON', message: `is not JSON: ${line.slice(0, 60)}` };
  }
  return ofObject(given, rules);
}

/** An item as it was parsed; anything but an object is refused. */
export function ofObject(given: unknown, rules: Rules): Reading | Fault | typeof skipped {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { reason: 'not JSON', message: 'is no object with tag, timestamp and value' };
  return readingOf(given as Item, rules);
}
