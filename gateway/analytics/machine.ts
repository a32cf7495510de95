// Pure: what an asset is doing, from its state tag if it has one, else from its values and alarms.
// The pipeline calls it for assets of which something has changed and makes an event of each difference.
import type { AssetState, MachineStatus } from '../model.ts';

export interface AssetFacts {
  /** What the state tag's present value means; undefined without such a tag, without a usable value, or with one not in the map. */
  said: MachineStatus | undefined;
  /** Tags of the asset, how many have a value that is fresh and not bad, and how many a fresh good one. */
  tags: number;
  usable: number;
  good: number;
  /** Whether any of its devices answers. */
  answering: boolean;
  /** An active alarm of severity medium or higher is on it. */
  alarmed: boolean;
}

function machineStatus(facts: AssetFacts): MachineStatus {
  if (facts.usable === 0) return 'offline';
  return facts.said ?? (facts.alarmed ? 'warning' : 'operational');
}

function commState(facts: AssetFacts): AssetState['comm'] {
  if (!facts.answering) return 'lost';
  return facts.good < facts.tags ? 'degraded' : 'ok';
}

/** The new state, or `before` itself when nothing has changed. @param now ms since the epoch */
export function assetState(before: AssetState | undefined, facts: AssetFacts, now: number): AssetState {
  const status = machineStatus(facts);
  const comm = commState(facts);
  if (before && before.status === status && before.comm === comm) return before;
  return { status, comm, since: before?.status === status ? before.since : now };
}
