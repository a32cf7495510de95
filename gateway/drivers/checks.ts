// The contract's checks: each starts with a running server, throws what is wrong in one sentence, and cleans up.
// Run by `driverContract` for each protocol, and against drivers/broken/ to show that every check can fail.
import { ManualClock, systemClock } from '../clock.ts';
import type { ContractEnv } from './contract.ts';
import type { RequestBody } from './requests.ts';
import { Session, ensure, pause } from './session.ts';

export interface Check {
  name: string;
  run(env: ContractEnv): Promise<void>;
}

/** The whole contract; each check starts with a running server, throws what is wrong in one sentence, and cleans up. */
export const checks: readonly Check[] = [
  {
    name: 'emits the right values',
    run: (env) =>
      within(env, async (session) => {
        for (const value of [11, 12]) {
          await env.set(value);
          await session.until(
            () => session.lastGood(env.changing.tag) === value,
            6000,
            `the value ${value} was not emitted`,
          );
        }
        ensure(
          Object.is(session.lastGood(env.constant.point.tag), env.constant.value),
          'the constant point has a wrong value',
        );
      }),
  },
  {
    name: 'says online before the first reading',
    run: (env) =>
      within(env, async (session) => {
        await session.until(() => session.seen.some((seen) => seen.what === 'emit'), 6000, 'nothing was emitted');
        ensure(
          session.seen.find((seen) => seen.what === 'emit' || seen.what === 'online')?.what === 'online',
          'a reading came before online',
        );
      }),
  },
  {
    name: 'ends within 2 s when aborted, connected or not',
    run: async (env) => {
      for (const up of [true, false]) {
        const session = new Session(env.driver(), systemClock);
        if (up) await session.until(() => session.isOnline(), 6000, 'the driver did not come online');
        else await env.stop();
        if (!up) await pause(50);
        session.abort();
        const ended = await session.ended(2000);
        ensure(
          ended,
          `run did not end within 2 s of its abort ${up ? 'while connected' : 'while the server was away'}`,
        );
      }
    },
  },
  {
    name: 'reports the loss of the server',
    run: (env) =>
      within(env, async (session) => {
        await session.until(() => session.hasGood(env.changing.tag), 6000, 'nothing was emitted');
        await env.stop();
        await session.until(
          () => !session.isOnline(),
          env.lossWithin ?? 10_000,
          'the loss was neither thrown nor reported by offline',
        );
      }),
  },
  {
    name: 'emits no good value and no proof of life after a loss until it is online again',
    run: (env) =>
      within(env, async (session) => {
        await session.until(() => session.hasGood(env.changing.tag), 6000, 'nothing was emitted');
        await env.stop();
        const reported = await session.happens(() => !session.isOnline(), env.lossWithin ?? 10_000);
        if (!reported) return; // that a loss is reported at all is another check's business
        await pause(Math.max(600, 3 * env.changing.interval));
        let state: 'before' | 'online' | 'lost' = 'before';
        for (const seen of session.seen) {
          if (seen.what === 'online') state = 'online';
          else if (seen.what === 'offline' || seen.what === 'ended') state = 'lost';
          else if (state === 'lost') {
            ensure(seen.what !== 'emit' || !seen.good, 'a good value was emitted after the loss');
            ensure(seen.what !== 'alive', 'a proof of life was given after the loss');
          }
        }
      }),
  },
  {
    name: 'proves that a constant value is still true',
    run: async (env) => {
      const bound = Math.max(3 * env.constant.point.interval, 10_000);
      if (env.time.kind === 'real') {
        const { proofWithin } = env.time;
        ensure(
          proofWithin <= bound,
          `a proof every ${proofWithin} ms cannot keep a value from going stale after ${bound} ms`,
        );
        await within(env, async (session) => {
          await session.until(() => session.hasGood(env.constant.point.tag), 6000, 'nothing was emitted');
          const from = systemClock.mono();
          await pause(3 * proofWithin);
          const gap = longestGap(session.proofs(env.constant.point.tag), from, systemClock.mono());
          ensure(gap <= proofWithin * 1.5, `the constant value went ${Math.round(gap)} ms without a value or a proof`);
        });
        return;
      }
      const clock = new ManualClock();
      const session = new Session(env.driver(), clock);
      try {
        // Virtual time moves in small steps with room for real sockets between them, so no reply is late by it.
        const pump = async (ms: number) => {
          for (const end = clock.mono() + ms; clock.mono() < end;) {
            await clock.advance(Math.min(200, env.constant.point.interval));
            await pause(1);
          }
        };
        for (let i = 0; i < 200 && !session.hasGood(env.constant.point.tag); i++) await pump(200);
        ensure(session.hasGood(env.constant.point.tag), 'nothing was emitted');
        const from = clock.mono();
        await pump(600_000);
        const gap = longestGap(session.proofs(env.constant.point.tag), from, clock.mono());
        ensure(
          gap <= bound,
          `the constant value went ${Math.round(gap)} ms without a value or a proof: it would be stale`,
        );
        ensure(
          session.seen.every((seen) => seen.what !== 'offline'),
          'the driver went offline though the server ran',
        );
      } finally {
        session.abort();
        for (let i = 0; i < 20 && !(await session.ended(20)); i++) await clock.advance(200);
      }
    },
  },
  {
    name: 'answers an expired request as expired and does not carry it out',
    run: (env) =>
      within(env, async (session) => {
        await env.set(21);
        await session.until(() => session.lastGood(env.changing.tag) === 21, 6000, 'nothing was emitted');
        const late = (ms: number) => systemClock.mono() - ms;
        const results = [
          await session.ask({ kind: 'write', tag: env.changing.tag, value: 99, deadline: late(1) }, 3000),
          await session.ask({ kind: 'read', tags: [env.changing.tag], deadline: late(1) }, 3000),
        ];
        await pause(100);
        ensure((await env.get()) === 21, 'a write whose deadline had passed was carried out');
        for (const result of results)
          ensure(
            result && !result.ok && result.reason === 'expired',
            `an expired request was answered ${JSON.stringify(result)}`,
          );
      }),
  },
  {
    name: 'answers every kind of request, an unsupported one as unsupported',
    run: (env) =>
      within(env, async (session) => {
        await env.set(31);
        await session.until(() => session.lastGood(env.changing.tag) === 31, 6000, 'nothing was emitted');
        const soon = () => systemClock.mono() + 4000;
        const now = systemClock.micros();
        const asked: RequestBody[] = [
          { kind: 'read', tags: [env.changing.tag], deadline: soon() },
          { kind: 'write', tag: env.changing.tag, value: 32, deadline: soon() },
          { kind: 'history', tags: [env.changing.tag], from: now - 1e6, to: now, deadline: soon() },
          { kind: 'trace', deadline: soon() },
        ];
        for (const body of asked) {
          const result = await session.ask(body, 5000);
          ensure(result, `a ${body.kind} request was not answered`);
          ensure(
            result.ok || result.reason === 'unsupported',
            `a ${body.kind} request was answered ${JSON.stringify(result)}`,
          );
          if (body.kind === 'read' && result.ok)
            ensure(
              result.readings?.some((reading) => reading.tag === env.changing.tag && reading.value === 31),
              'a read brought a wrong value',
            );
          if (body.kind === 'write')
            ensure((await env.get()) === (result.ok ? 32 : 31), 'a write was answered wrongly');
        }
      }),
  },
  {
    name: 'makes only the tag with the wrong address bad',
    run: (env) =>
      within(env, async (session) => {
        const wrong = env.wrong;
        const others = env.points.filter((point) => point.tag !== wrong?.tag);
        const settled = () =>
          (!wrong || session.lastStatus(wrong.tag) === 'bad') &&
          others.every((point) => session.lastStatus(point.tag) === 'good');
        await session.until(settled, 6000, 'the wrong address did not go bad alone');
        ensure(!wrong || !session.hasGood(wrong.tag), 'the wrong address had a good value');
        ensure(session.isOnline(), 'a wrong address ended the link');
      }),
  },
  {
    name: 'gives data again after the server is restarted',
    run: (env) =>
      within(env, async (session) => {
        await env.set(41);
        await session.until(() => session.lastGood(env.changing.tag) === 41, 6000, 'nothing was emitted');
        await env.stop();
        await pause(300);
        await env.set(42);
        await env.start();
        await session.until(
          () => session.lastGood(env.changing.tag) === 42,
          12_000,
          'no new value came after the restart',
          true,
        );
      }),
  },
  {
    name: 'leaves no rejection unhandled',
    run: async (env) => {
      const unhandled: unknown[] = [];
      const record = (reason: unknown) => void unhandled.push(reason);
      process.on('unhandledRejection', record);
      try {
        for (const wait of [0, 5, 50]) {
          const session = new Session(env.driver(), systemClock);
          await pause(wait);
          session.abort();
          await session.ended(600);
        }
        const session = new Session(env.driver(), systemClock);
        await session.happens(() => session.isOnline(), 6000);
        await env.stop();
        await session.happens(() => !session.isOnline(), env.lossWithin ?? 10_000);
        session.abort();
        await session.ended(600);
        await pause(20);
      } finally {
        process.off('unhandledRejection', record);
      }
      ensure(unhandled.length === 0, `a rejection was not handled: ${String(unhandled[0])}`);
    },
  },
];

/** The longest span (ms) in [from, to] without a proof. */
export function longestGap(proofs: readonly number[], from: number, to: number): number {
  let longest = 0;
  let last = from;
  for (const proof of proofs.filter((time) => time > from && time <= to).sort((a, b) => a - b)) {
    longest = Math.max(longest, proof - last);
    last = proof;
  }
  return Math.max(longest, to - last);
}

async function within(env: ContractEnv, body: (session: Session) => Promise<void>): Promise<void> {
  const session = new Session(env.driver(), systemClock, () => env.driver());
  try {
    await body(session);
  } finally {
    session.abort();
    // What ignores its abort is no concern of this check; a library's goodbye may take its time.
    await session.ended(env.time.kind === 'real' ? 2000 : 400);
  }
}
