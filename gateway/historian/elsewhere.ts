// Which database elsewhere holds the deep history, from the settings of what is forwarded: QuestDB, or else PostgreSQL.
// Called by the daemon for the settings and by the reader worker, which puts its answers before those of local history.
import type { Clock, Micros } from '../model.ts';
import { credentials } from './credentials.ts';
import { deepHistory } from './deep.ts';
import { hourOf } from './embedded/chunks.ts';
import type { Query } from './embedded/history.ts';
import { byAllNames } from './names.ts';
import type { PostgresSettings } from './postgres/address.ts';
import type { QuestdbSettings } from './questdb/forwarder.ts';
import type { RemoteHistory, RemoteTag } from './remote.ts';

/** What the reader is told; crosses to its thread. */
export interface Elsewhere {
  /** ms for which samples are kept here; what is older is asked for there. */
  retention: number;
  questdb?: QuestdbSettings;
  postgres?: PostgresSettings;
}

/** Undefined when neither is configured. */
export function elsewhereOf(
  { questdb, postgres }: { questdb: QuestdbSettings; postgres: PostgresSettings },
  retention: number,
): Elsewhere | undefined {
  if (questdb.url !== '') return { retention, questdb };
  return postgres.url === '' ? undefined : { retention, postgres };
}

/** `local` with what it does not keep or never had from there; as it was, when there is no such place. */
export async function withDeep(
  local: Query,
  elsewhere: Elsewhere | undefined,
  tag: (index: number) => RemoteTag | undefined,
  clock: Clock,
): Promise<Query> {
  const opened = elsewhere && (await open(elsewhere));
  if (!elsewhere || !opened) return local;
  const remote = byAllNames(opened);
  // The store takes in nothing that is older than the retention from the last whole hour on.
  const retained = (): Micros => hourOf(clock.now() * 1000) - elsewhere.retention * 1000;
  return {
    ...local,
    ...deepHistory(local, { remote, tag, retained, clock }),
    close() {
      void remote.close();
      local.close();
    },
  };
}

/** Connects with the first question. Each kind is loaded only when it is asked for. */
async function open({ questdb, postgres }: Elsewhere): Promise<RemoteHistory | undefined> {
  if (questdb) {
    const { questdbHistory } = await import('./questdb/reader.ts');
    const { wireOf } = await import('./questdb/wire.ts');
    return questdbHistory(wireOf(questdb), credentials(questdb));
  }
  if (!postgres) return undefined;
  const { postgresHistory } = await import('./postgres/reader.ts');
  const { addressOf } = await import('./postgres/address.ts');
  return postgresHistory(addressOf(postgres, 'forward.postgres'), credentials(postgres));
}
