// How old the picture is. The server's clock is measured from its frames against this machine's monotonic clock, because
// an operator's PC may be minutes wrong. Pure; the plant store feeds it and the header shows the result.

/** Estimates the server's wall clock: the frame with the least delay wins, and ages out at 100 ppm of clock drift. */
export class ServerTime {
  #offset = Number.NaN;
  #at = 0;
  #doubtful = false;

  /** Notes that the server said `serverMs` in something that arrived at `mono` (ms, monotonic). */
  observe(serverMs: number, mono: number): void {
    if (!Number.isFinite(serverMs)) return;
    const seen = serverMs - mono;
    const aged = this.#offset - (mono - this.#at) * 1e-4;
    // A step of more than a minute is the server's clock being set, not delay.
    if (this.#doubtful || Number.isNaN(this.#offset) || seen >= aged || aged - seen > 60_000) this.#offset = seen;
    else this.#offset = aged;
    this.#at = mono;
    this.#doubtful = false;
  }
  /** The machine seems to have slept so many ms: so much has passed at the server, until the next frame says it. */
  slept(ms: number): void {
    this.#offset += ms;
    this.#doubtful = true;
  }
  /** The server's time now, ms since the epoch; NaN before the first frame. */
  now(mono: number): number {
    return this.#offset + mono;
  }
  /** A new server: forget the old one's clock. */
  reset(): void {
    this.#offset = Number.NaN;
  }
}

/** ms by which this machine's wall clock may be set without a sleep. */
const setting = 3000;

/** Notices that the machine has slept: its monotonic clock may stand still meanwhile, its wall clock does not. */
export class Wakefulness {
  #wall = Number.NaN;
  #mono = 0;

  /** ms slept since the last look; 0 when the monotonic clock counted them, or nobody slept. */
  look(wall: number, mono: number): number {
    const slept = wall - this.#wall - (mono - this.#mono);
    this.#wall = wall;
    this.#mono = mono;
    return slept > setting ? slept : 0;
  }
}

export type Link = 'connecting' | 'live' | 'stale';

/** No frame for three intervals is stale; never sooner than 3 s, so that one late packet is no alarm. */
export function staleAfter(hz: number): number {
  return Math.max(3000, 3000 / (hz > 0 ? hz : 1));
}

/** The link's state from the monotonic time of the last frame (undefined before the first). */
export function linkState(lastFrame: number | undefined, mono: number, hz: number): Link {
  if (lastFrame === undefined) return 'connecting';
  return mono - lastFrame > staleAfter(hz) ? 'stale' : 'live';
}

/** Wait before the n-th attempt (1 = first retry), ms: 1 s doubling to 15 s, ± 20 % so that pages do not come in step. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  return Math.min(15_000, 1000 * 2 ** Math.min(10, Math.max(0, attempt - 1))) * (0.8 + 0.4 * random());
}
