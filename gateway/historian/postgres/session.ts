// One connection to PostgreSQL: credentials read anew each time, time limits on everything, and ended at once by a signal.
// Used by forwarder.ts and reader.ts; errors leave as one sentence, without a secret in it.
import pg from 'pg';
import { authorityOf, certificateFault } from '../certificates.ts';
import type { Credentials } from '../credentials.ts';
import type { PostgresAddress } from './address.ts';

export interface Session {
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** False after the first error that is not the statement's own: the session is to be closed. */
  readonly sound: boolean;
  close(): void;
}

/** The statement was refused; the connection is as good as before. `code` is the SQLSTATE, `routine` the server's function. */
export class Refused extends Error {
  override name = 'Refused';
  readonly code: string;
  readonly routine: string;
  constructor(message: string, code: string, routine: string) {
    super(message);
    this.code = code;
    this.routine = routine;
  }
}

/**
 * Rejects with a sentence: what does not answer, or why it does not let us in.
 * @param name what is there, for people; @param answered told of every statement that was carried out or refused
 */
export async function connect(
  address: PostgresAddress,
  credentials: Credentials,
  signal?: AbortSignal,
  name = 'PostgreSQL',
  answered = (): void => {},
): Promise<Session> {
  const { host, port, database, timeout } = address;
  const at = `${name} at ${host}:${port}`;
  const { user, password, token } = await credentials.read(signal);
  signal?.throwIfAborted();
  const client = new pg.Client({
    host,
    port,
    database,
    user,
    password: password ?? token ?? '',
    ssl: await tlsOf(address),
    connectionTimeoutMillis: timeout,
    statement_timeout: timeout,
    lock_timeout: timeout,
    // The server ends a statement first; this is for one that has gone silent.
    query_timeout: timeout + 2000,
    keepAlive: true,
    application_name: 'penstock',
  });
  let failed: Error | undefined;
  const sentence = (error: unknown): Error => inWords(error, at, database, user, credentials);
  client.on('error', (error) => (failed ??= sentence(error)));
  const close = (): void => {
    failed ??= new Error(`the connection to ${at} was closed`);
    signal?.removeEventListener('abort', close);
    // Destroyed, not ended: a server that does not answer must not hold us, and an open transaction is undone by it.
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  };
  const query = async (text: string, values?: unknown[]): Promise<Record<string, unknown>[]> => {
    if (failed) throw failed;
    try {
      const { rows } = await client.query<Record<string, unknown>>(text, values);
      answered();
      return rows;
    } catch (error) {
      const said = sentence(error);
      if (said instanceof Refused) answered();
      else {
        failed ??= said;
        close();
      }
      throw said;
    }
  };
  signal?.addEventListener('abort', close, { once: true });
  try {
    await client.connect();
    signal?.throwIfAborted();
  } catch (error) {
    close();
    throw sentence(error);
  }
  signal?.removeEventListener('abort', close);
  return {
    query,
    get sound() {
      return failed === undefined;
    },
    close,
  };
}

/** Has the server end a statement when its connection is closed, which it would else notice only behind it. */
export async function heedClosing(session: Session): Promise<void> {
  try {
    await session.query("SET client_connection_check_interval = '1s'");
  } catch (error) {
    // Not on every system it runs on.
    if (!(error instanceof Refused)) throw error;
  }
}

async function tlsOf({ tls, tlsCa }: PostgresAddress): Promise<false | { rejectUnauthorized: boolean; ca?: string }> {
  if (tls === 'off') return false;
  return { rejectUnauthorized: tls === 'verify', ca: await authorityOf(tlsCa) };
}

/** SQLSTATE classes after which the session itself is gone or of no use: connection, authorization, shutdown. */
const ends = /^(08|28|57P|3D|53300)/;

function inWords(error: unknown, at: string, database: string, user: string, credentials: Credentials): Error {
  const { message, code = '', routine = '' } = error as Error & { code?: string; routine?: string };
  const said = credentials.redact(message);
  const sqlstate = /^[0-9A-Z]{5}$/.test(code) ? code : '';
  // QuestDB has no code for it, and one pair for HTTP and another for this wire.
  const wire = /^invalid username\/password/.test(said);
  if (sqlstate.startsWith('28') || wire)
    return new Error(
      `${at} refuses the user "${user}": ${said}. Check the user and the password it is given${wire ? ': its pg.user and pg.password must be those of HTTP' : ''}`,
      { cause: code },
    );
  if (sqlstate === '3D000')
    return new Error(`${at} has no database "${database}": create it, or name another`, { cause: code });
  if (sqlstate === '42501') return new Refused(`${at}: ${said}: grant it to the user "${user}"`, code, routine);
  if (sqlstate === '25006')
    return new Refused(`${at}: ${said}: it is a standby, or set so; name the server that is written to`, code, routine);
  if (routine === 'ExecFindPartition')
    return new Refused(
      `${at}: ${said}: make a partition for its day, or let the user "${user}" own the table and create in its schema`,
      code,
      routine,
    );
  if (sqlstate && !ends.test(sqlstate)) return new Refused(`${at}: ${said}`, code, routine);
  if (said.includes('unsupported startup parameter'))
    return new Error(
      `${at} is a pooler that refuses the time limits of statements (${said}): set ignore_startup_parameters = statement_timeout,lock_timeout there`,
      { cause: code },
    );
  const certificate = certificateFault(error, 'its setting tlsCa');
  if (certificate) return new Error(`${at} ${certificate}`, { cause: code });
  return new Error(`${at} does not answer: ${said || code}`, { cause: code });
}
