// Passwords and tokens by file and by command, real ones: read anew at each use, and errors that say what to do.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialFaults, credentials } from './credentials.ts';
import type { CredentialSettings } from './credentials.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'penstock-secret-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const none: CredentialSettings = {
  user: 'ada',
  passwordFile: '',
  passwordCommand: '',
  tokenFile: '',
  tokenCommand: '',
};
const kept = (text: string): string => {
  writeFileSync(join(dir, 'secret'), text);
  return join(dir, 'secret');
};

test.each<[string, string, object | RegExp]>([
  ['a line', 'p4ss\n', { user: 'ada', password: 'p4ss' }],
  ['a line of Windows', 'p4ss\r\n', { user: 'ada', password: 'p4ss' }],
  ['spaces are part of it', ' p 4 \n', { user: 'ada', password: ' p 4 ' }],
  ['not a letter is changed', '{p"ä€\\n', { user: 'ada', password: '{p"ä€\\n' }],
  ['user and password together', '{"user":"v-1","password":"x"}\n', { user: 'v-1', password: 'x' }],
  ['a token', '{"token":"t"}', { user: 'ada', token: 't' }],
  ['an object of something else', '{"pass":"hidden"}', /neither password nor token$/],
  ['nothing', '\n', /gave no password: it is empty$/],
  ['two lines', 'hidden\nhidden2\n', /more than one line: it must be the password alone$/],
])('a file with %s', async (_name, text, expected) => {
  const file = kept(text);
  const read = credentials({ ...none, passwordFile: file }).read();
  if (expected instanceof RegExp) {
    await expect(read).rejects.toThrow(expected);
    await expect(read).rejects.not.toThrow(/hidden/);
  } else expect(await read).toEqual(expected);
});

test.each<[string, string, object | RegExp]>([
  ['prints a line', 'echo p4ss', { user: 'ada', token: 'p4ss' }],
  ['is a pipe', 'echo "a b" | cut -d" " -f2', { user: 'ada', token: 'b' }],
  ['fails', 'echo hidden; echo hidden >&2; exit 3', /^the token command ended with code 3: run it by hand/],
  ['is not there', '/nowhere/tool hidden', /^the token command ended with code 127/],
  ['floods', 'yes hidden', /^the token command printed more than 65536 characters/],
])('a command that %s', async (_name, command, expected) => {
  const read = credentials({ ...none, tokenCommand: command }).read();
  if (expected instanceof RegExp) {
    await expect(read).rejects.toThrow(expected);
    await expect(read).rejects.not.toThrow(/hidden/);
  } else expect(await read).toEqual(expected);
});

test('a command that hangs ends with the signal, and so does what it started', async () => {
  const stop = new AbortController();
  const pid = join(dir, 'pid');
  const read = credentials({ ...none, passwordCommand: `sleep 100 & echo $! >${pid}; wait` }).read(stop.signal);
  while (!existsSync(pid) || readFileSync(pid, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  await expect(read).rejects.toThrow(/called off/);
  const stat = `/proc/${readFileSync(pid, 'utf8').trim()}/stat`;
  // Nobody may be there to bury it: then it is a zombie.
  await expect.poll(() => !existsSync(stat) || / Z /.test(readFileSync(stat, 'utf8'))).toBe(true);
});

test('a command that leaves a service behind, which holds its output open, is given up too', async () => {
  const stop = new AbortController();
  const pid = join(dir, 'pid');
  const read = credentials({ ...none, passwordCommand: `setsid sleep 100 & echo $! >${pid}; echo secret` }).read(
    stop.signal,
  );
  const left = () => (existsSync(pid) ? Number(readFileSync(pid, 'utf8')) : 0);
  // By then it is in a group of its own.
  await expect.poll(() => (left() ? readFileSync(`/proc/${left()}/comm`, 'utf8') : '')).toBe('sleep\n');
  stop.abort();
  try {
    await expect(read).rejects.toThrow(/called off/);
  } finally {
    process.kill(left(), 'SIGKILL');
  }
});

test('a mark that an editor puts before the text is no part of the secret', async () => {
  expect((await credentials({ ...none, passwordFile: kept('\uFEFFsecret\r\n') }).read()).password).toBe('secret');
});

test('each reading sees the file as it is then', async () => {
  const who = credentials({ ...none, passwordFile: kept('old') });
  expect((await who.read()).password).toBe('old');
  kept('new');
  expect((await who.read()).password).toBe('new');
  rmSync(join(dir, 'secret'));
  await expect(who.read()).rejects.toThrow(/secret cannot be read: ENOENT/);
});

test('a relative file is one of the credentials systemd hands over', async () => {
  kept('from systemd');
  const settings = { ...none, passwordFile: 'secret' };
  expect((await credentials(settings, { CREDENTIALS_DIRECTORY: dir }).read()).password).toBe('from systemd');
  await expect(credentials(settings, {}).read()).rejects.toThrow(/"secret" is no absolute path/);
});

test('without file and command there is only the user', async () => {
  expect(await credentials(none).read()).toEqual({ user: 'ada' });
});

test('what was ever read does not come through, in no form', async () => {
  const who = credentials({ ...none, passwordFile: kept('p@ss/1') });
  await who.read();
  kept('p@ss/12');
  await who.read();
  const basic = Buffer.from('ada:p@ss/12').toString('base64');
  expect(who.redact(`p@ss/1, p@ss/12, postgres://ada:p%40ss%2F12@h, Basic ${basic}`)).toBe(
    '•••, •••, postgres://ada:•••@h, Basic •••',
  );
});

test.each<[Partial<CredentialSettings>, string[]]>([
  [{ passwordFile: '/a' }, []],
  [{ user: '' }, []],
  [{ tokenCommand: 'x', user: '' }, []],
  [{}, ['f.user has no password: give f.passwordFile or f.passwordCommand']],
  [{ passwordFile: 'database-password' }, []],
  [
    { passwordFile: 'secrets/a' },
    ['f.passwordFile is "secrets/a", neither a whole path nor the name of a systemd credential: write the whole path'],
  ],
  [{ passwordFile: '/a', tokenCommand: 'x' }, ['f.passwordFile and f.tokenCommand are set: give one of them']],
])('settings %o', (given, faults) => {
  expect(credentialFaults({ ...none, ...given }, 'f', {})).toEqual(faults);
});
