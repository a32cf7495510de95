// Whose end is the gateway's own: npm's and npx's, and nobody's who meant it to go on.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { orphaned, startersOf } from './starters.ts';
import type { Starter } from './starters.ts';
import { folder } from './test/folder.ts';
import { eventually, root } from './test/rig.ts';

const own = 100;
/** The gateway, then its parents upwards, each `session command…`; the words of `sh -c` are kept together. */
function table(...above: string[]): Map<number, Starter> {
  const rows = ['1 node gateway/main.ts run', ...above].map((row, i): [number, Starter] => {
    const [, session, line = ''] = /^(\d) (.*)$/.exec(row) ?? [];
    const script = /^(\S+) -c (.*)$/.exec(line);
    const words = script ? [script[1] ?? '', '-c', script[2] ?? ''] : line.startsWith('npm') ? [line] : line.split(' ');
    return [own - i, { parent: own - i - 1, session: Number(session), words }];
  });
  return new Map(rows);
}

const run = "1 sh -c 'penstock' run --config x";
const cases: [string, string[], string | undefined, number][] = [
  ['npx', [run, '1 npm exec penstock run', '1 bash'], undefined, 2],
  ['npm whose shell became the gateway', ['1 npm start', '1 bash'], undefined, 1],
  [
    'a script of npm that calls npx',
    [run, '1 npm exec penstock', '1 sh -c npx penstock run', '1 npm run go'],
    undefined,
    4,
  ],
  ['a script that does something first', ['1 sh -c cd x && penstock run 2>&1', '1 npm run go', '1 bash'], undefined, 2],
  ['the launcher alone', ['1 node gateway/node.mjs run', '1 bash'], '99', 1],
  ['the launcher under npx', ['1 node gateway/node.mjs run', run, '1 npm exec penstock', '1 bash'], '99', 3],
  ['a launcher of long ago', ['1 node x.mjs', '1 bash'], '7', 0],
  ['a shell', ['1 bash', '1 sshd'], undefined, 0],
  ['a shell that is told what to run', ['1 sh -c penstock run', '1 cron'], undefined, 0],
  ['systemd', ['0 /sbin/init'], undefined, 0],
  ['setsid before npx: it ends with its npx', ['1 npm exec penstock run', '2 bash'], undefined, 1],
  ['setsid in a script of npm', ['2 sh -c penstock run', '2 npm run go'], undefined, 0],
  ['put into the background by a script of npm', ['1 sh -c penstock run & sleep 1', '1 npm run go'], undefined, 0],
  ['nohup in a script of npm', ['1 sh -c nohup penstock run; true', '1 npm run go'], undefined, 0],
  ['a program that npm runs', ['1 node install.js', '1 sh -c node install.js', '1 npm run go'], undefined, 0],
];
test.each(cases)('%s', (_case, above, launcher, watched) => {
  const processes = table(...above);
  const look = (pid: number) => processes.get(pid);
  const chain = startersOf(own, launcher, look);
  expect(chain).toEqual(Array.from({ length: watched + 1 }, (_, i) => own - i));
  expect(orphaned(chain, look)).toBe(false);
  for (const gone of chain.slice(1)) {
    const without = (pid: number) => {
      const found = processes.get(pid);
      return pid === gone || !found ? undefined : found.parent === gone ? { ...found, parent: 1 } : found;
    };
    expect(orphaned(chain, without), `without ${gone}`).toBe(true);
  }
});

test('npx killed, by TERM or without a word: the gateway it started ends', async () => {
  const ends = (['SIGTERM', 'SIGKILL'] as const).map(async (signal) => {
    const args = ['penstock', 'run', '--config', folder(), '--data', folder(), '--port', '0', '--mqtt-port', '0'];
    // As a user's shell has it: what the tests run under says nothing of npm.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|VITEST/i.test(name)));
    const npx = spawn('npx', args, {
      cwd: root,
      env: { ...env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let said = '';
    createInterface({ input: npx.stdout }).on('line', (line) => (said += line));
    createInterface({ input: npx.stderr }).on('line', (line) => (said += `${line}\n`));
    let closed = false;
    npx.on('close', () => (closed = true));
    onTestFinished(() => {
      // A gateway that outlives its npx is still of the group.
      if (!closed && npx.pid) process.kill(-npx.pid, 'SIGKILL');
    });
    await eventually(
      () => said,
      (text) => text.includes('ready http'),
      60_000,
    );
    npx.kill(signal);
    // Its output is closed when the last that holds it has ended.
    await eventually(
      () => ({ closed, said }),
      (end) => end.closed,
      20_000,
    );
  });
  await Promise.all(ends);
}, 100_000);
