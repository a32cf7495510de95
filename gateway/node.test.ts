// The launcher under a Node that is too old: it hands over to the bundled one, or says one clear sentence.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { root, scratch } from './test/rig.ts';

/** The launcher in a folder of its own, believing it runs under Node 20. */
function launch(bundled: boolean) {
  const folder = scratch();
  const place = (...parts: string[]) => join(folder.path, ...parts);
  mkdirSync(place('gateway'));
  copyFileSync(join(root, 'gateway', 'node.mjs'), place('gateway', 'node.mjs'));
  writeFileSync(place('gateway', 'main.ts'), 'console.log("ran", process.argv.slice(2).join(" ")); process.exit(7);');
  writeFileSync(place('old.mjs'), 'Object.defineProperty(process.versions, "node", { value: "20.20.2" });');
  if (bundled) {
    const bin = place('node_modules', `node-${process.platform}-${process.arch}`, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  }
  const result = spawnSync(
    process.execPath,
    ['--import', place('old.mjs'), place('gateway', 'node.mjs'), 'check', '--config', 'x'],
    { encoding: 'utf8' },
  );
  folder.remove();
  return result;
}

test('the bundled Node runs the command, its arguments and exit code go through', () => {
  expect(launch(true)).toMatchObject({ status: 7, stdout: 'ran check --config x\n' });
});

test('without one: what is needed, what is there, what to do; exit 78', () => {
  const { status, stderr } = launch(false);
  expect(status).toBe(78);
  expect(stderr.trim()).toMatch(
    /^penstock needs Node 24\.15 or newer; this is 20\.20\.2, .* install Node 24 and run the command again\.$/,
  );
});

const flags = ['--max-semi-space-size=8', '--max-old-space-size=1024'];
test.each([
  ['the same process begins again with the memory settings, once', 'said.mjs', '1', flags],
  ['a tool is left alone', 'node_modules/tool/said.mjs', undefined, []],
])('under a Node that is new enough %s', (_what, name, arenas, given) => {
  const folder = scratch();
  const script = join(folder.path, name);
  mkdirSync(dirname(script), { recursive: true });
  writeFileSync(
    script,
    'console.log(JSON.stringify({ arenas: process.env.MALLOC_ARENA_MAX, flags: process.execArgv, args: process.argv.slice(2), parent: process.ppid }));',
  );
  const { MALLOC_ARENA_MAX: _, ...env } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, [join(root, 'gateway', 'node.mjs'), script, 'a b', '--c'], {
    encoding: 'utf8',
    env,
  });
  folder.remove();
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ arenas, flags: given, args: ['a b', '--c'], parent: process.pid });
});
