// What the documents name is there, and what is there they name: commands and their options, npm scripts, settings,
// routes, metrics. REFERENCE.md, which is generated, has its own test beside the schemas.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { settingNames } from '../config/settings.ts';
import { protocols } from '../drivers/index.ts';
import { bed } from '../web/bed.ts';
import { folder } from './folder.ts';
import { root } from './rig.ts';

/** Options of other programs that the documents call. */
const foreign = new Set(['--ignore-scripts', '--now', '--profile', '--system']);

const read = (name: string) => readFileSync(join(root, name), 'utf8');
const readme = read('README.md');
const documents = [readme, read('systemd/README.md')].join('\n');
const found = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map((match) => match[1] ?? match[0]));

function help(...command: string[]): string {
  const args = [join(root, 'gateway', 'main.ts'), ...command, '--help'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return stdout;
}

test('every command stands in the README, and every one named there exists, with its options', () => {
  const usage = help();
  const commands = found(usage, /^ {2}penstock ([a-z-]+)/gm);
  expect(commands.size).toBeGreaterThan(10);
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const shown = found(readme, /penstock ([a-z-]+)/g);
  const byScript = new Set(
    Object.entries(scripts).flatMap(([name, line]) => {
      const command = /gateway\/main\.ts ([a-z]+)/.exec(line)?.[1];
      return command !== undefined && new RegExp(`npm (run )?${name}\\b`).test(readme) ? [command] : [];
    }),
  );
  for (const command of commands) expect(shown.has(command) || byScript.has(command), command).toBe(true);
  for (const command of found(documents, /(?:npx |`)penstock ([a-z-]+)/g)) expect([...commands]).toContain(command);

  const ownHelp = [...commands].filter((command) => !['run', 'demo', 'check', 'docs'].includes(command));
  const said = [usage, ...ownHelp.map((command) => help(command))].join('\n');
  const options = found(documents, /(?<![\w-])--[a-z][a-z-]+/g);
  expect([...options].filter((option) => !foreign.has(option) && !said.includes(option))).toEqual([]);
});

test('every npm script stands in the README, and every one named there exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const shown = found(documents, /npm (?:run )?(start|test|(?<=run )[a-z]+)/g);
  expect([...shown].sort()).toEqual(Object.keys(scripts).sort());
});

test('every setting that the README names exists', () => {
  const names = settingNames();
  const groups = new Set(names.map((name) => name.split('.')[0]));
  const shown = [...found(documents, /`([a-z]+(?:\.[a-zA-Z]+)+)(?::[^`]*)?`/g)].filter((name) =>
    groups.has(name.split('.')[0]),
  );
  expect(shown.length).toBeGreaterThan(5);
  for (const name of shown.filter((one) => !/\.(yaml|db|sock)$/.test(one)))
    expect(
      names.some((each) => each === name || each.startsWith(`${name}.`)),
      name,
    ).toBe(true);
});

test('the sample configuration of the README is one, without an error', () => {
  const path = folder();
  mkdirSync(join(path, 'devices'));
  const files = [...readme.matchAll(/^```yaml\n# (\S+)\n([\s\S]*?)^```/gm)].map(([, name = '', text = '']) => ({
    name,
    text,
  }));
  expect(files.length).toBe((readme.match(/^```yaml/gm) ?? []).length);
  for (const { name, text } of files) writeFileSync(join(path, name), text);
  expect(new Set(files.map(({ name }) => dirname(name)))).toEqual(new Set(['.', 'devices']));
  const loaded = loadConfig(path, protocols, {}, []);
  expect(loaded).toMatchObject({ ok: true });
});

test('every route that the README names exists', async () => {
  const it = await bed();
  const { paths } = JSON.parse((await it.ask('/docs/json')).text) as { paths: object };
  await it.close();
  const routes = [...Object.keys(paths), '/docs', '/metrics'];
  const shown = found(readme, /(\/api\/v1\/[\w./-]*\w)|`(\/[a-z]+)`/g);
  for (const path of [...shown].filter((one) => !one.startsWith('`'))) expect(routes).toContain(path);
});

test('config/METRICS.md names every metric, and no other', () => {
  const shown = found(read('config/METRICS.md'), /^\| `(\w+)`/gm);
  const product = readdirSync(join(root, 'gateway'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)(test|bench)\/|\/(testing|bed)\.ts$/.test(file),
  );
  const code = product.map((file) => read(join('gateway', file))).join('\n');
  const metrics = found(code, /'((?:penstock|process|nodejs)_[a-z_]+[a-z])'/g);
  expect(metrics.size).toBeGreaterThan(50);
  expect([...metrics].filter((name) => !shown.has(name))).toEqual([]);
  // A driver's own figures are named by the driver: the system test has them from a running gateway.
  const others = [...shown].filter((name) => !metrics.has(name));
  expect(others.filter((name) => !name.startsWith('penstock_device_'))).toEqual([]);
  for (const name of others) expect(code, name).toMatch(new RegExp(`\\b${name.replace('penstock_device_', '')}\\b`));
});
