// Where a PostgreSQL is, from the settings' words. Pure; used by the forwarder and the reader.
import { credentialFaults } from '../credentials.ts';
import type { CredentialSettings } from '../credentials.ts';

/** The settings `forward.postgres`; `user` and the references to its password beside. */
export interface PostgresSettings extends CredentialSettings {
  /** `postgres://host:5432/database`, with neither user nor password. */
  url: string;
  /** `off`; `require` encrypts without asking who answers; `verify` checks the certificate and its name. */
  tls: 'off' | 'require' | 'verify';
  /** PEM file of the authority that `verify` trusts; empty: the system's. */
  tlsCa: string;
}
export interface PostgresAddress extends Pick<PostgresSettings, 'tls' | 'tlsCa'> {
  host: string;
  port: number;
  database: string;
  /** ms a connection, and each statement, may take. */
  timeout: number;
}

const TIMEOUT = 15_000;

/** Throws a sentence, without what may be a secret in it. `at` is the settings' path, `forward.postgres`. */
export function addressOf(settings: PostgresSettings, at: string, timeout = TIMEOUT): PostgresAddress {
  const url = URL.canParse(settings.url) ? new URL(settings.url) : undefined;
  const [database = '', ...rest] = url?.pathname.slice(1).split('/') ?? [];
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === '' || database === '' || rest.length > 0)
    throw new Error(`${at}.url is no address of a PostgreSQL: write postgres://host:5432/database`);
  if (url.username !== '' || url.password !== '')
    throw new Error(`${at}.url holds a user or a password: give ${at}.user and ${at}.passwordFile instead`);
  if (url.search !== '')
    throw new Error(`${at}.url ends in options, which are settings here: ${at}.tls and ${at}.tlsCa`);
  const [fault] = credentialFaults(settings, at);
  if (fault) throw new Error(fault);
  const { tls, tlsCa } = settings;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(url.port || 5432), database: decodeURIComponent(database), tls, tlsCa, timeout };
}
