// An event as a row of the databases' `events` table: the columns people filter by, and the whole event as JSON.
// Pure; used by every forwarder, so that the tables read alike.
import type { GatewayEvent, Micros } from '../model.ts';

/** What is not said is the empty string. (t, id) is the key. */
export interface EventRow {
  t: Micros;
  id: string;
  kind: GatewayEvent['kind'];
  /** An alarm's transition, or the state a device or an asset entered. */
  transition: string;
  site: string;
  asset: string;
  tag: string;
  device: string;
  /** The alarm's key. */
  alarm: string;
  severity: string;
  /** Who acknowledged. */
  actor: string;
  message: string;
  /** The event as it is, JSON. */
  detail: string;
}

export const eventColumns = [
  'kind',
  'transition',
  'site',
  'asset',
  'tag',
  'device',
  'alarm',
  'severity',
  'actor',
  'message',
  'detail',
] as const satisfies readonly (keyof EventRow)[];

const siteOf = (path: string): string => path.slice(0, Math.max(0, path.indexOf('/')));

export function eventRow(event: GatewayEvent): EventRow {
  const row: EventRow = {
    t: event.time * 1000,
    id: event.id,
    kind: event.kind,
    transition: '',
    site: '',
    asset: '',
    tag: '',
    device: '',
    alarm: '',
    severity: '',
    actor: '',
    message: '',
    detail: JSON.stringify(event),
  };
  switch (event.kind) {
    case 'alarm': {
      const { site, asset = '', tag = '', device = '', key, severity, ackedBy = '', message } = event.alarm;
      const actor = event.transition === 'ack' ? ackedBy : '';
      return { ...row, transition: event.transition, site, asset, tag, device, alarm: key, severity, actor, message };
    }
    case 'device':
      return { ...row, transition: event.state, device: event.device, message: event.reason ?? '' };
    case 'clock': {
      const { tag = '', device = '', message } = event;
      return { ...row, site: siteOf(tag), tag, device, message };
    }
    case 'loss':
      return { ...row, message: `${lossOf(event)} never reached ${event.consumer}: ${event.reason}` };
    case 'state':
      return { ...row, transition: event.state.status, site: siteOf(event.asset), asset: event.asset };
  }
}

const lossOf = ({ samples, events = 0 }: { samples: number; events?: number }): string =>
  `${samples} samples${events > 0 ? ` and ${events} events` : ''}`;
