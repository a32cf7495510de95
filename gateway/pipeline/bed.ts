// A test bed: a pipeline on a manual clock, with a journal and a live path that keep what they were given.
import type { Catalog, Tag } from '../catalog.ts';
import { ManualClock } from '../clock.ts';
import type { Batch, GatewayEvent, Reading, Sample } from '../model.ts';
import { Status } from '../status.ts';
import type { Pipeline, PipelineOptions } from './junction.ts';
import { createPipeline } from './pipeline.ts';
import { catalogOf, tagOf } from './plant.ts';

export const FLOW = 0;
export const STATE = 1;
export const LEVEL = 2;
export const device = 'north-plc';

export function bedTags(flow: Partial<Tag> = {}): Tag[] {
  return [
    tagOf('north/pump-1/flow', {
      unit: 'm³/h',
      alarm: {
        limits: { ll: 5, l: 10, h: 80, hh: 90 },
        deadband: 2,
        onDelay: 5000,
        offDelay: 3000,
        severity: { ll: 'high', l: 'medium', h: 'medium', hh: 'critical' },
      },
      ...flow,
    }),
    tagOf('north/pump-1/state', {
      type: 'integer',
      alarmStates: [{ value: 2, severity: 'high', message: 'Pump has tripped' }],
    }),
    tagOf('north/tank-1/level'),
    tagOf('south/tank-2/level'),
  ];
}

export interface Bed {
  clock: ManualClock;
  status: Status;
  pipeline: Pipeline;
  journal: Batch[];
  live: Batch[];
  samples(tag?: number): Sample[];
  events(): GatewayEvent[];
  /** Alarm events as `transition key`. */
  told(): string[];
  /** One live reading of a north tag. */
  says(tag: number, value: Reading['value'], more?: Partial<Reading>): void;
}

export function bed(
  catalog: Catalog = catalogOf(bedTags()),
  settings: PipelineOptions['settings'] = {},
  clock = new ManualClock(),
): Bed {
  const journal: Batch[] = [];
  const live: Batch[] = [];
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const status = new Status(quiet, () => clock.now());
  const pipeline = createPipeline({
    catalog,
    clock,
    journal: { append: (batch) => journal.push(batch) },
    live: [{ offer: (batch) => live.push(batch) }],
    status,
    settings,
  });
  const events = (): GatewayEvent[] => journal.flatMap((batch) => batch.events);
  return {
    clock,
    status,
    pipeline,
    journal,
    live,
    samples: (tag) =>
      journal.flatMap((batch) => batch.samples).filter((sample) => tag === undefined || sample.tag === tag),
    events,
    told: () => events().flatMap((event) => (event.kind === 'alarm' ? [`${event.transition} ${event.alarm.key}`] : [])),
    says: (tag, value, more = {}) => pipeline.ingest(device, [{ tag, value, status: 0, ...more }]),
  };
}
