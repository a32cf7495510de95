// Topic names of the plain namespace, from the catalog. Pure. The underscore marks the end of an asset's path, so that
// a path of any depth reads unambiguously: <prefix>/<enterprise>/<site>/…/<asset>/_data/<metric>.
import type { Alarm } from '../model.ts';

export class Topics {
  readonly #root: string;
  readonly #gateway: string;

  /** @param gatewayId names this gateway below each of its sites */
  constructor(prefix: string, enterprise: string, gatewayId: string) {
    this.#root = `${segment(prefix)}/${segment(enterprise)}`;
    this.#gateway = segment(gatewayId);
  }

  data(asset: string, metric: string): string {
    return `${this.#asset(asset)}/_data/${segment(metric)}`;
  }
  state(asset: string): string {
    return `${this.#asset(asset)}/_state`;
  }
  meta(asset: string): string {
    return `${this.#asset(asset)}/_meta`;
  }
  event(asset: string): string {
    return `${this.#asset(asset)}/_event`;
  }
  /** A tag's alarm stands below its asset, a device's below this gateway in the alarm's site. */
  alarm(alarm: Pick<Alarm, 'asset' | 'site' | 'name'>): string {
    const place = alarm.asset === undefined ? this.#below(alarm.site) : this.#asset(alarm.asset);
    return `${place}/_alarm/${segment(alarm.name)}`;
  }
  /** Whether this gateway is there, with a will. */
  gatewayStatus(site: string): string {
    return `${this.#below(site)}/status`;
  }
  gatewayEvent(site: string): string {
    return `${this.#below(site)}/_event`;
  }

  #asset(path: string): string {
    return `${this.#root}/${path.split('/').map(segment).join('/')}`;
  }
  #below(site: string): string {
    return `${this.#root}/${segment(site)}/_gateway/${this.#gateway}`;
  }
}

/**
 * A name as one level of a topic: spaces, wildcards, slashes and control characters become `_`; an underscore or `$` in
 * front would read as the end of a path or a system topic and falls away.
 */
export function segment(name: string): string {
  return name.replace(/[\s+#/]|\p{Cc}/gu, '_').replace(/^[_$]+/, '') || '-';
}
