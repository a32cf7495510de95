// Who the gateway is to a database: a user with a password or a token, each by file or by command, never in the settings.
// Read anew by the forwarders and readers at every connection and after every refusal, so that a secret may change or
// expire while the gateway runs. `redact` takes what was ever read out of whatever ends in front of people.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

/** As the settings give them; what is not set is empty. */
export interface CredentialSettings {
  user: string;
  passwordFile: string;
  passwordCommand: string;
  tokenFile?: string;
  tokenCommand?: string;
}
export interface Credential {
  user: string;
  password?: string;
  token?: string;
}
export interface Credentials {
  /** Rejects with a sentence that names the file or the command and never its output. */
  read(signal?: AbortSignal): Promise<Credential>;
  redact(text: string): string;
}

/** ms a command may take. */
const COMMAND_TIME = 10_000;
/** Characters of a secret: tokens are long. */
const LONGEST = 65_536;
/** Secrets remembered for `redact`: an error may still speak of the one before. */
const REMEMBERED = 8;

/** What is wrong with the settings, one sentence each; empty when they can be used. `at` is their path, `forward.postgres`. */
export function credentialFaults(
  settings: CredentialSettings,
  at: string,
  env: NodeJS.ProcessEnv = process.env,
): string[] {
  const { user, passwordFile, passwordCommand, tokenFile = '', tokenCommand = '' } = settings;
  const given = Object.entries({ passwordFile, passwordCommand, tokenFile, tokenCommand })
    .filter(([, value]) => value !== '')
    .map(([name]) => `${at}.${name}`);
  const faults: string[] = [];
  if (given.length > 1) faults.push(`${given.join(' and ')} are set: give one of them`);
  if (given.length === 0 && user !== '')
    faults.push(`${at}.user has no password: give ${at}.passwordFile or ${at}.passwordCommand`);
  for (const [name, file] of Object.entries({ passwordFile, tokenFile }))
    // A bare name may be one of systemd's credentials, which only the service has.
    if (file.includes('/') && !isAbsolute(file) && !env.CREDENTIALS_DIRECTORY)
      faults.push(
        `${at}.${name} is "${file}", neither a whole path nor the name of a systemd credential: write the whole path`,
      );
  return faults;
}

/**
 * A file's path is absolute, or below systemd's $CREDENTIALS_DIRECTORY; a command is a line for the shell. Either gives one
 * line, or the JSON object `{"user","password"}` or `{"user","token"}`, where user and password change together.
 */
export function credentials(settings: CredentialSettings, env: NodeJS.ProcessEnv = process.env): Credentials {
  const { user, passwordFile, passwordCommand, tokenFile = '', tokenCommand = '' } = settings;
  const file = passwordFile || tokenFile;
  const command = passwordCommand || tokenCommand;
  const kind = tokenFile || tokenCommand ? 'token' : 'password';
  const seen: string[] = [];
  const remember = (secret: string, name: string): void => {
    const forms = [secret, encodeURIComponent(secret), Buffer.from(`${name}:${secret}`).toString('base64')];
    const fresh = forms.filter((form) => form !== '' && !seen.includes(form));
    seen.unshift(...fresh);
    seen.length = Math.min(seen.length, REMEMBERED * forms.length);
  };
  return {
    async read(signal) {
      if (!file && !command) return { user };
      const text = file ? await fromFile(file, kind, env) : await fromCommand(command, kind, env, signal);
      const credential = parse(text, user, kind, file || `the ${kind} command`);
      remember(credential.password ?? credential.token ?? '', credential.user);
      return credential;
    },
    redact(text) {
      // Longest first: a secret may be part of another's form.
      const forms = [...seen].sort((a, b) => b.length - a.length);
      return forms.reduce((rest, secret) => rest.replaceAll(secret, '•••'), text);
    },
  };
}

async function fromFile(file: string, kind: string, env: NodeJS.ProcessEnv): Promise<string> {
  const folder = env.CREDENTIALS_DIRECTORY;
  if (!isAbsolute(file) && !folder)
    throw new Error(
      `the ${kind} file "${file}" is no absolute path, and systemd gave no credentials: write the whole path`,
    );
  const path = isAbsolute(file) ? file : join(folder ?? '', file);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`the ${kind} file ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'failed'}`, {
      cause: error,
    });
  }
}

/** Its error output is not repeated: tools print secrets there, too. */
async function fromCommand(
  command: string,
  kind: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  // A group of its own, so that what the shell started ends with it.
  const child = spawn('/bin/sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  let text = '';
  let over = '';
  const end = (why: string): void => {
    over ||= why;
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    // What it has left behind may hold it open.
    child.stdout.destroy();
  };
  const aborted = (): void => end('was called off');
  signal?.addEventListener('abort', aborted, { once: true });
  const timer = setTimeout(() => end(`gave nothing within ${COMMAND_TIME / 1000} s`), COMMAND_TIME);
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (text.length > LONGEST) end(`printed more than ${LONGEST} characters`);
  });
  try {
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`could not be started: ${error.message}`));
      child.once('close', (code) => resolve(code === 0 ? '' : `ended with code ${code}`));
    });
    if (over || how) throw new Error(`the ${kind} command ${over || how}: run it by hand as the gateway's user`);
    return text;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
  }
}

function parse(text: string, user: string, kind: 'password' | 'token', from: string): Credential {
  // Editors put a mark before it.
  const line = text.replace(/^\uFEFF/, '').replace(/\r?\n$/, '');
  const given = line.trimStart().startsWith('{') ? object(line) : undefined;
  if (given) {
    const name = typeof given.user === 'string' ? given.user : user;
    if (typeof given.password === 'string') return { user: name, password: given.password };
    if (typeof given.token === 'string') return { user: name, token: given.token };
    throw new Error(`${from} gave a JSON object with neither password nor token`);
  }
  if (line === '') throw new Error(`${from} gave no ${kind}: it is empty`);
  if (line.length > LONGEST || /[\n\0]/.test(line))
    throw new Error(`${from} gave more than one line: it must be the ${kind} alone`);
  return { user, [kind]: line };
}

/** A password may begin with a brace: what is no JSON is taken as it stands. */
function object(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
