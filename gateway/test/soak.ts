// `npm run soak [name [times]]`: the fault tests of the ordinary run, for longer. Each says what it found as one line of
// JSON; the exit code is 1 when a promise is broken. Without a name all run, one after the other.
import { spawnSync } from 'node:child_process';
import { startPostgres } from '../historian/postgres/testing.ts';
import { testServer } from '../historian/questdb/testing.ts';
import { killForwarding, postgresTarget, questdbTarget } from './kill-forward.ts';
import type { Forwarded } from './kill-forward.ts';
import { killAgain } from './kill.ts';
import { killGateway } from './lives.ts';
import { cutPower } from './power.ts';

interface Soak {
  /** What it repeats, and how often when nobody says. */
  what: string;
  times: number;
  /** What was found; `broken` in words, empty when every promise held. */
  run(times: number): Promise<{ found: object; broken: string[] }>;
}

/** The sentences whose condition does not hold. */
const unless = (promises: Record<string, boolean>): string[] =>
  Object.entries(promises).flatMap(([promise, holds]) => (holds ? [] : [promise]));

function forwarded(store: string, { account, ...found }: Forwarded): { found: object; broken: string[] } {
  const { journalled, delivered, dropped, deadLettered, backlog } = account;
  return {
    found: { ...found, delivered, dropped, deadLettered, backlog: backlog.samples },
    broken: unless({
      [`every sample of the journal is in ${store}`]: found.missing === 0,
      'once and at its time': found.stored === found.journalled && found.strange === 0,
      'the ledger holds': journalled === delivered && dropped + deadLettered + backlog.samples === 0,
    }),
  };
}

const soaks: Record<string, Soak> = {
  kill: {
    what: 'kill -9 of the writer and of the egress thread, while they store and forward',
    times: 100,
    async run(times) {
      const { stats, file, ...found } = await killAgain(times);
      const { journalled, delivered, dropped, backlog } = stats.account;
      const { account, ...lines } = file;
      return {
        found: { ...found, journalled, delivered, dropped, backlog: backlog.samples, file: lines },
        broken: unless({
          'nothing acknowledged is lost': found.lost === 0 && found.missing === 0 && dropped === 0,
          'nothing is there twice': found.twice === 0,
          'every value is where it was filed': found.wrong === 0,
          'what was journalled is delivered and stored':
            backlog.samples === 0 && journalled === delivered && delivered === found.stored,
          'rollups count every sample': found.rolledUp === found.stored,
          'what was journalled is in the forwarded file, once': lines.missing + lines.twice + lines.wrong === 0,
          'the file has what its account says':
            lines.lines === account.delivered && account.delivered === account.journalled,
        }),
      };
    },
  },
  gateway: {
    what: 'kill -9 of the whole gateway under load',
    times: 100,
    async run(times) {
      const found = await killGateway(times);
      return {
        found,
        broken: [
          ...found.ledger,
          ...unless({
            'nothing answered as durable is lost': found.lost === 0,
            'no reading given well before a kill is missing': found.missing === 0 && found.dropped === 0,
            'nothing is there twice': found.twice === 0,
            'what history holds is in the forwarded file, once': found.notForwarded + found.forwardedTwice === 0,
          }),
        ],
      };
    },
  },
  questdb: {
    what: 'kill -9 of the gateway while it forwards to a QuestDB (needs Java and Maven)',
    times: 20,
    async run(times) {
      const server = await testServer();
      try {
        return forwarded('QuestDB', await killForwarding(times, await questdbTarget(server)));
      } finally {
        await server.remove();
      }
    },
  },
  history: {
    what: 'a run of the historian’s random tests: the codec, what is stored through kills, and every answer against a plain model',
    times: 20,
    run(times) {
      const tests = ['codec', 'store', 'oracle'].map((name) => `gateway/historian/embedded/${name}.test.ts`);
      const { status, signal } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...tests], {
        stdio: 'inherit',
        env: { ...process.env, PENSTOCK_SOAK: String(times) },
      });
      return Promise.resolve({ found: { status, signal }, broken: unless({ 'every answer is equal': status === 0 }) });
    },
  },
  postgres: {
    what: 'kill -9 of the gateway while it forwards to a PostgreSQL (needs its server)',
    times: 20,
    async run(times) {
      const server = await startPostgres();
      try {
        return forwarded('PostgreSQL', await killForwarding(times, await postgresTarget(server)));
      } finally {
        await server.close();
      }
    },
  },
  power: {
    what: 'power cuts on a file system of its own (as root)',
    times: 20,
    async run(times) {
      const cuts = { acknowledged: 0, lost: 0, twice: 0, window: 0 };
      for (let i = 0; i < times; i++) {
        const durability = i % 2 === 0 ? 'interval' : 'batch';
        const waited = await cutPower(durability, 0.3);
        const unasked = await cutPower('interval', 0);
        cuts.acknowledged += waited.acknowledged;
        cuts.lost += waited.lost;
        cuts.twice += waited.twice + unasked.twice;
        cuts.window = Math.max(cuts.window, unasked.window);
      }
      return {
        found: cuts,
        broken: unless({
          'nothing acknowledged is lost': cuts.lost === 0,
          'nothing is there twice': cuts.twice === 0,
          'at most an interval and a sync of what nobody waited for is lost': cuts.window < 2500,
        }),
      };
    },
  },
};

const [name, times] = process.argv.slice(2);
if (name !== undefined && !soaks[name]) {
  console.error(`no soak is called ${name}; there are: ${Object.keys(soaks).join(', ')}`);
  process.exit(64);
}
let broken = false;
for (const [key, soak] of Object.entries(soaks).filter(([key]) => name === undefined || key === name)) {
  const count = times === undefined ? soak.times : Number(times);
  console.log(`\n== ${key}: ${count} × ${soak.what}`);
  const result = await soak.run(count);
  console.log(JSON.stringify(result.found));
  for (const promise of result.broken) console.log(`broken: ${promise}`);
  broken ||= result.broken.length > 0;
}
process.exit(broken ? 1 : 0);
