#!/usr/bin/env node
// The launcher: plain JavaScript that any Node understands. It finds a Node new enough to run
// TypeScript as it stands (this one, or the one that came with the install) and runs the rest under it.
// Every npm script and the `penstock` command go through here.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const NEEDED = [24, 15];
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function newEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
}

function bundled() {
  // npm 10 does not link .bin/node when it skips the other platforms, so the package folder is asked directly.
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = process.platform === 'win32' ? 'node.exe' : 'bin/node';
  const path = join(root, 'node_modules', `node-${platform}-${process.arch}`, name);
  return existsSync(path) ? path : undefined;
}

const node = newEnough(process.versions.node) ? process.execPath : bundled();
if (!node) {
  console.error(
    `penstock needs Node ${NEEDED.join('.')} or newer; this is ${process.versions.node}, and no bundled Node ` +
      `exists for ${process.platform}-${process.arch}: install Node ${NEEDED[0]} and run the command again.`,
  );
  process.exit(78);
}

const given = process.argv.slice(2);
const asCommand = given.length === 0 || !/\/|\.(ts|js|mjs)$/.test(given[0]);
const [script, ...rest] = asCommand ? [join(root, 'gateway', 'main.ts'), ...given] : given;

// Measured at 10,000 tags a second: 530 MB without any of these, 340 MB with all. V8 would let the young generation of each
// thread grow to 130 MB, and where the machine has much memory the old one to four times what is in use before it looks for
// garbage; malloc would keep what journal blocks and query answers have freed. Compilers and test runners are left alone.
const flags = ['--max-semi-space-size=8', '--max-old-space-size=1024'];
const settings = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };
const tool = script.includes('node_modules');
const [memory, frugal] = tool ? [[], {}] : [flags, settings];

const begun = tool || process.env.MALLOC_ARENA_MAX !== undefined || process.platform === 'win32';
if (node === process.execPath && !begun) {
  // malloc reads its environment once, at the start: the same process begins again with it.
  const args = [process.execPath, ...process.execArgv, ...memory, ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...frugal, ...process.env });
} else if (node === process.execPath) {
  // Too late for this thread if it came without the flags, in time for the workers.
  for (const flag of memory) setFlagsFromString(flag);
  process.argv = [process.execPath, resolve(script), ...rest];
  await import(pathToFileURL(resolve(script)).href);
} else {
  const child = spawn(node, [...memory, script, ...rest], {
    stdio: 'inherit',
    // By PENSTOCK_LAUNCHER the daemon knows when its launcher was killed without a word.
    env: {
      ...frugal,
      ...process.env,
      PENSTOCK_LAUNCHER: String(process.pid),
      PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}`,
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
    process.on(signal, () => {
      // A terminal's Ctrl-C reaches the child by itself; a kill of the launcher alone does not.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`penstock could not start ${node}: ${error.message}`);
    process.exit(70);
  });
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 70);
  });
}
