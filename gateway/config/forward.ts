// The settings of the stores elsewhere: a section a kind, part of the one schema in settings.ts.
// Read by egress, which starts what is on. Passwords and tokens stand in files or come from commands, never here.

const text = (doc: string, env: string) => ({ doc, format: String, default: '', env: `PENSTOCK_FORWARD_${env}` });
const address = (doc: string, env: string) => ({ ...text(doc, env), format: 'address', sensitive: true });
/** Who the gateway is to a store, by reference. */
const login = (kind: string, store: string) => ({
  user: text(`User the gateway is in ${store}`, `${kind}_USER`),
  passwordFile: text(
    'File with its password alone, or with {"user","password"}; read at every connection. Absolute, or a name in systemd’s credentials',
    `${kind}_PASSWORD_FILE`,
  ),
  passwordCommand: text(
    'Shell command that prints the same, in place of the file; run at every connection',
    `${kind}_PASSWORD_COMMAND`,
  ),
});

const tls = (doc: string, env: string) => ({
  ...text(doc, env),
  format: ['off', 'require', 'verify'],
  default: 'off',
});

export const forwardSchema = {
  rate: {
    doc: 'Samples per second sent to each store elsewhere from a backlog of more than five minutes; live ones go first and are not counted; 0: as fast as the store takes them',
    format: 'count',
    default: 10_000,
    env: 'PENSTOCK_FORWARD_RATE',
  },
  timeout: {
    doc: 'A store elsewhere that has not answered for this time is given up for this try; what takes long gets less at once',
    format: 'duration',
    default: 30_000,
    env: 'PENSTOCK_FORWARD_TIMEOUT',
  },
  file: {
    path: text(
      'Every sample is appended to this NDJSON file (below the data folder unless absolute), in the form that import reads; it grows until somebody moves it away, and a new one is begun; empty: off',
      'FILE_PATH',
    ),
  },
  postgres: {
    url: address(
      'Every sample and event is kept in this PostgreSQL (14 or newer), postgres://host:5432/database; empty: off',
      'POSTGRES_URL',
    ),
    ...login('POSTGRES', 'PostgreSQL'),
    tls: tls(
      'off; require encrypts without asking who answers; verify checks the certificate and its name',
      'POSTGRES_TLS',
    ),
    tlsCa: text('PEM file of the authority that verify trusts; empty: the system’s', 'POSTGRES_TLS_CA'),
  },
  questdb: {
    url: address(
      'Every sample and event is kept in this QuestDB (9 or newer), the address of its HTTP port, http://host:9000, or https:// where something in front speaks TLS: its certificate and name are checked; empty: off',
      'QUESTDB_URL',
    ),
    wire: address(
      'Its PostgreSQL wire, from where history older than what is kept here is read, postgres://host:8812/qdb; empty: port 8812 of the same host',
      'QUESTDB_WIRE',
    ),
    wireTls: tls(
      'Of the wire: off; require encrypts without asking who answers; verify checks the certificate and its name',
      'QUESTDB_WIRE_TLS',
    ),
    tlsCa: text(
      'PEM file of the authority that an https address and wireTls: verify trust; empty: the system’s',
      'QUESTDB_TLS_CA',
    ),
    ...login('QUESTDB', 'QuestDB'),
    tokenFile: text('File with a token in place of user and password', 'QUESTDB_TOKEN_FILE'),
    tokenCommand: text('Shell command that prints the token', 'QUESTDB_TOKEN_COMMAND'),
  },
};

type Tls = 'off' | 'require' | 'verify';
interface Login {
  user: string;
  passwordFile: string;
  passwordCommand: string;
}
/** A kind of forwarder each beside the two numbers; it is on when its `path` or `url` is not empty. */
export interface ForwardSettings {
  rate: number;
  timeout: number;
  file: { path: string };
  postgres: Login & { url: string; tls: Tls; tlsCa: string };
  questdb: Login & { url: string; wire: string; wireTls: Tls; tlsCa: string; tokenFile: string; tokenCommand: string };
}

/** The kinds of forwarders that are on. */
export function forwardersOn(forward: ForwardSettings): string[] {
  return Object.entries(forward)
    .filter(([, section]) => typeof section === 'object' && Object.entries(section).some(isPlace))
    .map(([kind]) => kind);
}
const isPlace = ([name, value]: [string, unknown]): boolean => (name === 'path' || name === 'url') && value !== '';
