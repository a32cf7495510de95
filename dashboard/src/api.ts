// The gateway's REST interface as this page uses it. Every function rejects with `ApiError`, whose message is a sentence
// an operator can read.
import type {
  AcknowledgeBody,
  Dict,
  ErrorBody,
  Facility,
  ShelveBody,
  Summary,
  Timeseries,
  WireHealth,
} from '../../gateway/web/wire.ts';
import type { Frame } from './frame.ts';
import type { RawAnswer } from './samples.ts';

const root = '/api/v1';

export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** ms: a connection that died in silence answers never. */
const patience = 60_000;

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const late = AbortSignal.timeout(patience);
  const signal = init?.signal ? AbortSignal.any([init.signal, late]) : late;
  let answer: Response | undefined;
  let body: unknown;
  try {
    answer = await fetch(root + path, { ...init, signal });
    body = answer.status === 204 ? undefined : await answer.json();
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    if (late.aborted) throw new ApiError(0, 'The gateway does not answer.');
    if (!answer) throw new ApiError(0, 'The gateway cannot be reached.');
    if (answer.ok) throw new ApiError(0, 'The gateway’s answer ended in the middle.');
  }
  if (answer.ok) return body as T;
  const { message = `The gateway answered ${answer.status}.` } = (body ?? {}) as Partial<ErrorBody>;
  throw new ApiError(answer.status, message);
}

function post(path: string, body: unknown): Promise<unknown> {
  return ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** How the gateway's own parts do; the answer has status 503 when one of them has failed. */
async function health(signal: AbortSignal): Promise<WireHealth> {
  const answer = await fetch('/health', { signal });
  const body = (await answer.json()) as Partial<WireHealth>;
  const { status = 'ok', components, consumers } = body;
  if (!components || !consumers) throw new ApiError(answer.status, `The gateway answered ${answer.status}.`);
  return { status, components, consumers };
}

function within(tags: readonly string[], { from, to }: Frame): URLSearchParams {
  const query = new URLSearchParams(tags.map((tag) => ['tags', tag]));
  query.set('from', new Date(from).toISOString());
  query.set('to', new Date(to).toISOString());
  return query;
}

const at = (facility: string) => encodeURIComponent(facility);

/** What is drawn: the last hours, or a range (ms); in buckets of minutes, or in as many as there are points. */
export interface Curve {
  metric: string;
  hours?: number;
  from?: number;
  to?: number;
  bucket_minutes?: number;
  points?: number;
  /** Asset paths; all of them when missing. */
  assets?: readonly string[];
}

export const api = {
  facilities: (signal?: AbortSignal) => ask<Facility[]>('/facilities', { signal }),
  dict: (facility: string, signal?: AbortSignal) => ask<Dict>(`/dict?facility=${at(facility)}`, { signal }),
  summary: (facility: string, hours: number, signal?: AbortSignal) =>
    ask<Summary>(`/dashboard/summary/${at(facility)}?hours=${hours}`, { signal }),
  timeseries: (facility: string, curve: Curve, signal?: AbortSignal) => {
    const { assets = [], ...rest } = curve;
    const query = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, String(value)]));
    for (const asset of assets) query.append('assets', asset);
    return ask<Timeseries>(`/dashboard/timeseries/${at(facility)}?${query}`, { signal });
  },
  /** Samples of tags in a range of ms; `next` is null when these are all. */
  raw: (tags: readonly string[], range: Frame, limit: number, signal?: AbortSignal) =>
    ask<RawAnswer>(`/history/raw?${within(tags, range)}&limit=${limit}`, { signal }),
  /** Address of a file with what a curve shows: buckets of so many minutes, or samples (0), at the plant's times. */
  exported: (tags: readonly string[], range: Frame, bucketMinutes: number, zone: string | undefined) => {
    const query = within(tags, range);
    if (bucketMinutes > 0) query.set('width', `${Math.round(bucketMinutes * 60)}s`);
    if (zone) query.set('zone', zone);
    return `${root}/export.csv?${query}`;
  },
  acknowledge: (body: AcknowledgeBody) => post('/alarms/acknowledge', body),
  shelve: (body: ShelveBody) => post('/alarms/shelve', body),
  health,
  stream: (facility: string) => `${root}/stream?facility=${at(facility)}`,
};
