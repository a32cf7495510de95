// A facility's summary: figures over hours and their sparklines. Fetched again as the plant store says, which owns it; an
// answer for other hours than those wanted by then is dropped.
import type { Summary } from '../../gateway/web/wire.ts';
import { api } from './api.ts';

export class Figures {
  summary: Summary | undefined = $state.raw();
  /** Why the last question had no answer; empty when it had one. */
  failure = $state.raw('');
  /** The facility and hours being asked for. */
  #asking = '';

  /** Does nothing while the same is being fetched. */
  async fetch(facility: string, hours: number, signal?: AbortSignal): Promise<void> {
    const asked = `${facility} ${hours}`;
    if (this.#asking === asked) return;
    this.#asking = asked;
    let failure = '';
    try {
      const summary = await api.summary(facility, hours, signal);
      // Other hours may have been chosen meanwhile, and be answered already.
      if (this.#asking === asked) this.summary = summary;
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (this.#asking !== asked) return;
    this.#asking = '';
    this.failure = failure;
  }
  /** Nothing is wanted any more. */
  drop(): void {
    this.#asking = this.failure = '';
  }
}
