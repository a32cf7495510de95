// A site's figure per metric, computed from the live values as the server computes it: aggregate over the assets whose
// value is good and fresh. Pure; KpiCard shows the result between two summaries.
import type { DictTag, SummaryKpi } from '../../gateway/web/wire.ts';
import type { Reading } from './frames.ts';

export interface LiveKpi {
  current: number | null;
  reporting: number;
  of: number;
}

/** Aggregate of one metric's tags now. Booleans count as 0 and 1, words not at all. */
export function liveKpi(
  aggregate: SummaryKpi['aggregate'],
  tags: readonly DictTag[],
  readings: ReadonlyMap<number, Reading>,
): LiveKpi {
  let sum = 0;
  let max = Number.NEGATIVE_INFINITY;
  let reporting = 0;
  for (const tag of tags) {
    const reading = readings.get(tag.i);
    if (!reading || reading.stale || reading.q !== 0) continue;
    const value = typeof reading.v === 'boolean' ? Number(reading.v) : reading.v;
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    sum += value;
    max = Math.max(max, value);
    reporting++;
  }
  const current = reporting === 0 ? null : aggregate === 'sum' ? sum : aggregate === 'max' ? max : sum / reporting;
  return { current, reporting, of: tags.length };
}
