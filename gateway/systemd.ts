// Tells systemd how the daemon is: READY, WATCHDOG, RELOADING, STOPPING. Silent where there is no systemd.
// Called by main; speaks by spawning systemd-notify, since Node has no datagram sockets for AF_UNIX (a few ms each).
import { spawn } from 'node:child_process';
import type { Clock } from './model.ts';

export interface Systemd {
  ready(): void;
  stopping(): void;
  reloading(): void;
  /** Pings the watchdog at a third of its time, for as long as `healthy` says so. Returns how to stop. */
  watch(healthy: () => boolean): () => void;
}

/** @param send sends one state to systemd; given in tests. */
export function systemd(
  env: NodeJS.ProcessEnv,
  clock: Clock,
  send: (state: string) => void = notifySender(env),
): Systemd {
  if (!env.NOTIFY_SOCKET) return { ready() {}, stopping() {}, reloading() {}, watch: () => () => {} };
  return {
    ready: () => send('READY=1'),
    stopping: () => send('STOPPING=1'),
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${Math.floor(Number(process.hrtime.bigint() / 1000n))}`),
    watch(healthy) {
      const period = Number(env.WATCHDOG_USEC ?? 0) / 1000 / 3;
      if (!(period > 0)) return () => {};
      let stopped = false;
      let off = () => {};
      const ping = () => {
        if (stopped) return;
        if (healthy()) send('WATCHDOG=1');
        off = clock.after(period, ping);
      };
      ping();
      return () => {
        stopped = true;
        off();
      };
    },
  };
}

function notifySender(env: NodeJS.ProcessEnv): (state: string) => void {
  return (state) => {
    const child = spawn('systemd-notify', state.split('\n'), { env, stdio: 'ignore' });
    child.on('error', () => {
      // Without systemd-notify on the PATH the unit's start times out, which systemd itself reports.
    });
    child.unref();
  };
}
