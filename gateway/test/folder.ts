// A folder of the running test's own, for tests of files and whole systems. Apart from rig.ts, which benchmarks and the
// soak use too: only within a test is there an end of it to wait for.
import { onTestFinished } from 'vitest';
import { scratch } from './rig.ts';

/** An empty folder, removed when the test is over, after whatever the test asked for later has been closed. */
export function folder(): string {
  const { path, remove } = scratch();
  onTestFinished(remove);
  return path;
}
