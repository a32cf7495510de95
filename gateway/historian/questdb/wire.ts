// Where a QuestDB's PostgreSQL wire is, from the settings' words. Pure; used by the reader and to check the settings.
import type { PostgresAddress } from '../postgres/address.ts';
import type { QuestdbSettings } from './forwarder.ts';

const TIMEOUT = 15_000;

/** Where the PostgreSQL wire is: as set, or port 8812 of the HTTP address' host. Throws a sentence. */
export function wireOf(
  { url, wire = '', wireTls = 'off', tlsCa = '' }: Pick<QuestdbSettings, 'url' | 'wire' | 'wireTls' | 'tlsCa'>,
  timeout = TIMEOUT,
): PostgresAddress {
  const at = URL.canParse(wire || url) ? new URL(wire || url) : undefined;
  if (!at || (wire && !/^postgres(ql)?:$/.test(at.protocol)))
    throw new Error('forward.questdb.wire is no address of a PostgreSQL wire: write postgres://host:8812/qdb');
  const host = at.hostname.replace(/^\[|\]$/g, '');
  const port = wire ? Number(at.port || 8812) : 8812;
  const database = (wire && decodeURIComponent(at.pathname.slice(1))) || 'qdb';
  return { host, port, database, tls: wireTls, tlsCa, timeout };
}
