// Tells systemd how the daemon is: READY, WATCHDOG, STATUS, RELOADING, STOPPING. Silent where there is no systemd.
// Called by main; speaks by spawning systemd-notify, since Node has no datagram sockets for AF_UNIX (a few ms each).
import { spawn } from 'node:child_process';
import type { Clock } from './model.ts';

export interface Systemd {
  ready(): void;
  stopping(): void;
  reloading(): void;
  /**
   * Pings the watchdog at a third of its time, for as long as `ill` gives an empty text; otherwise says that text as
   * the status instead. `words` is the status of a daemon that is well but has something to say; empty for none.
   * Returns how to stop.
   */
  watch(ill: () => string, words?: () => string): () => void;
}

/** How often the status is said where the unit has no watchdog, ms. */
const statusPeriod = 20_000;
/** A notify that takes longer than this is given up, ms: systemd-notify itself waits 5 s for systemd to have read it. */
const notifyWithin = 10_000;

/** @param send sends states, one a line, to systemd in the order of the calls; given in tests. */
export function systemd(
  env: NodeJS.ProcessEnv,
  clock: Clock,
  send: (states: string) => void = notifySender(env),
): Systemd {
  if (!env.NOTIFY_SOCKET) return { ready() {}, stopping() {}, reloading() {}, watch: () => () => {} };
  let said = '';
  /** A STATUS line when it differs from the last one. */
  const status = (text: string): string[] => {
    const line = text.replaceAll(/\s+/g, ' ').slice(0, 400);
    if (line === said) return [];
    said = line;
    return [`STATUS=${line}`];
  };
  return {
    ready: () => send('READY=1'),
    stopping: () => send('STOPPING=1'),
    reloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    watch(ill, words = () => '') {
      const watchdog = Number(env.WATCHDOG_USEC ?? 0) / 1000 / 3;
      const pings = watchdog > 0;
      let stopped = false;
      let off = () => {};
      const ping = () => {
        if (stopped) return;
        const why = ill();
        const states = [...(pings && !why ? ['WATCHDOG=1'] : []), ...status(why || words())];
        if (states.length > 0) send(states.join('\n'));
        off = clock.after(pings ? watchdog : statusPeriod, ping);
      };
      ping();
      return () => {
        stopped = true;
        off();
      };
    },
  };
}

/** One systemd-notify after the other: two at a time could overtake each other, and a READY before its RELOADING hangs. */
function notifySender(env: NodeJS.ProcessEnv): (states: string) => void {
  let last = Promise.resolve();
  return (states) => {
    last = last.then(
      () =>
        new Promise((resolve) => {
          const child = spawn('systemd-notify', states.split('\n'), { env, stdio: 'ignore', timeout: notifyWithin });
          child.once('close', () => resolve());
          // Without systemd-notify on the PATH the unit's start times out, which systemd itself reports.
          child.once('error', () => resolve());
          child.unref();
        }),
    );
  };
}
