// The gateway as a systemd service: the unit file and its drop-ins under systemd's own checkers, and the daemon as
// systemd hears it, over a real notify socket.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { needs } from './needs.ts';
import { folder } from './folder.ts';
import { eventually, root, startProcess } from './rig.ts';
import type { Process } from './rig.ts';

const unitFile = join(root, 'systemd', 'penstock.service');
const dropIns = join(root, 'systemd', 'drop-ins');

/** The unit in a folder of its own, its programs where this clone has them, with some of the drop-ins. */
function installed(names: string[] = [], change: (text: string) => string = (text) => text): string {
  const path = folder();
  const unit = join(path, 'penstock.service');
  const text = readFileSync(unitFile, 'utf8')
    .replaceAll('/usr/lib/penstock/node', process.execPath)
    .replaceAll('/usr/lib/penstock', root);
  writeFileSync(unit, change(text));
  mkdirSync(`${unit}.d`);
  for (const name of names) copyFileSync(join(dropIns, name), join(`${unit}.d`, name));
  return unit;
}

function analyze(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}`.trim() };
}

const profiles = [[], ...readdirSync(dropIns).map((name) => [name])];

needs('systemd-analyze')('systemd finds nothing wrong with the unit, alone and with each drop-in', () => {
  for (const names of profiles)
    expect(analyze('verify', '--man=no', installed(names)), String(names)).toEqual({ status: 0, said: '' });
  const misspelt = installed([], (text) => text.replace('WatchdogSec=', 'WatchDogSeconds='));
  expect(analyze('verify', '--man=no', misspelt).said).toContain("'WatchDogSeconds'");
});

needs('systemd-analyze')('exposure stays at 2.0 or below; TCP only is less exposed than with serial ports', () => {
  const exposure = (names: string[]): number => {
    const { status, said } = analyze('security', '--offline=true', '--threshold=20', '--no-pager', installed(names));
    expect(status, said).toBe(0);
    return Number(/Overall exposure level[^:]*: ([\d.]+)/.exec(said)?.[1]);
  };
  const [bare = NaN, ...others] = profiles.map(exposure);
  const tcpOnly = others[profiles.findIndex(([name]) => name === 'tcp-only.conf') - 1];
  expect(bare).toBeGreaterThan(0);
  expect(tcpOnly).toBeLessThan(bare);
  const open = installed([], (text) => text.replace(/^(Protect|Restrict|SystemCall|Capability).*$/gm, ''));
  expect(analyze('security', '--offline=true', '--threshold=20', '--no-pager', open).status).not.toBe(0);
});

test('the programs and folders that the unit names are the ones the daemon knows', () => {
  const text = readFileSync(unitFile, 'utf8');
  const commands = [
    ...text.matchAll(/^Exec\w+=\/usr\/lib\/penstock\/node (?:--\S+ )*\/usr\/lib\/penstock\/(\S+) (\S+)$/gm),
  ];
  expect(commands.map(([, script, command]) => `${script} ${command}`)).toEqual([
    'gateway/main.ts run',
    'gateway/main.ts check',
  ]);
  expect(text).toMatch(/^RestartPreventExitStatus=78$/m);
  // The defaults of `data` and `--config` are these two below /var/lib and /etc.
  expect(text).toMatch(/^StateDirectory=penstock$/m);
  expect(text).toMatch(/^ConfigurationDirectory=penstock$/m);
});

test('the unit gives node the flags and variables that the launcher gives it', () => {
  const launcher = readFileSync(join(root, 'gateway', 'node.mjs'), 'utf8');
  const flags = /^const flags = \[(.*)\];$/m.exec(launcher)?.[1]?.replaceAll(/[',]/g, '');
  const settings = /^const settings = \{ (.*) \};$/m.exec(launcher)?.[1]?.replaceAll(/[' ]/g, '').replaceAll(':', '=');
  const unit = readFileSync(unitFile, 'utf8');
  expect(flags).toMatch(/^--\S+ --\S+$/);
  expect(/^ExecStart=\/usr\/lib\/penstock\/node (.*) \S+ run$/m.exec(unit)?.[1]).toBe(flags);
  expect(/^Environment=(.*)$/m.exec(unit)?.[1]?.replaceAll(' ', ',')).toBe(settings);
});

// What systemd does at its end: a datagram socket. Closing the descriptor that comes with a BARRIER lets the sender go.
const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    for line in s.recv(65536).decode().split('\\n'):
        if line != 'BARRIER=1': print(line, flush=True)
`;

/** A notify socket and everything said on it so far. */
async function notifySocket(): Promise<{ path: string; heard: string[] }> {
  const path = join(folder(), 'notify');
  const child = spawn('python3', ['-c', listener, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill();
    await exited;
  });
  const heard: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => heard.push(line));
  await eventually(
    () => heard.length,
    (n) => n > 0,
  );
  heard.length = 0;
  return { path, heard };
}

/** `penstock run` as the unit starts it: its folders from systemd's variables, no arguments but free ports. */
function run(notify: string, config: string, state: string): { gateway: Process; stdout: string[] } {
  const gateway = startProcess('gateway/main.ts', ['run', '--port', '0', '--mqtt-port', '0'], {
    NOTIFY_SOCKET: notify,
    WATCHDOG_USEC: '900000',
    CONFIGURATION_DIRECTORY: config,
    STATE_DIRECTORY: state,
  });
  onTestFinished(() => gateway.stop('SIGKILL'));
  const stdout: string[] = [];
  gateway.child.stdout?.on('data', (part: Buffer) => stdout.push(part.toString()));
  return { gateway, stdout };
}

needs('python3', 'systemd-notify')('systemd hears ready, watchdog, reload and stop, in that order', async () => {
  const { path, heard } = await notifySocket();
  const [config, state] = [folder(), folder()];
  writeFileSync(join(config, 'plant.yaml'), 'sites:\n  - name: North\n');
  const { gateway, stdout } = run(path, config, state);
  const hears = (count: number, ...lines: string[]) =>
    eventually(
      () => [...heard],
      (all) => lines.every((line) => all.filter((said) => said === line).length >= count),
    );

  await gateway.line((line) => /^ready http/.exec(line) ?? undefined);
  await hears(2, 'WATCHDOG=1');
  gateway.child.kill('SIGHUP');
  await hears(2, 'READY=1');

  // A configuration that is wrong is refused, said in the status, and the daemon runs on.
  writeFileSync(join(config, 'plant.yaml'), 'sites: 7\n');
  gateway.child.kill('SIGHUP');
  await hears(3, 'READY=1');
  await eventually(
    () => heard.findLast((line) => line.startsWith('STATUS=')),
    (line) => /^STATUS=config: 1 errors? in the new configuration/.test(line ?? ''),
  );
  writeFileSync(join(config, 'plant.yaml'), 'sites:\n  - name: North\n');
  gateway.child.kill('SIGHUP');
  await hears(1, 'STATUS=');
  const fed = heard.filter((line) => line === 'WATCHDOG=1').length;
  await hears(fed + 1, 'WATCHDOG=1');

  gateway.child.kill('SIGTERM');
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  await hears(1, 'STOPPING=1');
  const acts = heard.filter((line) => !/^(WATCHDOG|STATUS|MONOTONIC_USEC)=/.test(line));
  const reload = ['RELOADING=1', 'READY=1'];
  expect(acts).toEqual(['READY=1', ...reload, ...reload, ...reload, 'STOPPING=1']);
  expect(heard[0]).toBe('READY=1');
  expect(heard.at(-1)).toBe('STOPPING=1');
  for (const [i, line] of heard.entries())
    if (line === 'RELOADING=1') expect(heard[i + 1]).toMatch(/^MONOTONIC_USEC=\d+$/);
  expect(stdout.join('')).toMatch(/^ready http:\S+ mqtt:\S+\n$/);
  expect(readdirSync(state)).toContain('state.db');
});

needs('python3', 'systemd-notify')('a wrong configuration ends with 78 and is never ready', async () => {
  const { path, heard } = await notifySocket();
  const config = folder();
  writeFileSync(join(config, 'plant.yaml'), 'sites: 7\n');
  const { gateway, stdout } = run(path, config, folder());
  expect(await gateway.exited).toEqual({ code: 78, signal: null });
  expect(gateway.errors.join('\n')).toContain('plant.yaml:1: sites');
  expect([heard, stdout]).toEqual([[], []]);
});
