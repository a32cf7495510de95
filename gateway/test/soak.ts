// `node gateway/node.mjs gateway/test/soak.ts [lives]`: the kill test for longer. Exit code 1 when a promise is broken.
import { killAgain } from './kill.ts';

const { stats, ...found } = await killAgain(Number(process.argv[2] ?? 100));
const { journalled, delivered, dropped, backlog } = stats.account;
console.log(JSON.stringify({ ...found, journalled, delivered, dropped, backlog: backlog.samples }));
const broken = found.missing + found.lost + found.twice + found.wrong + dropped + backlog.samples;
process.exit(
  broken === 0 && journalled === delivered && delivered === found.stored && found.rolledUp === found.stored ? 0 : 1,
);
