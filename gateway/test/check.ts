// `npm run check`: types, lint, format and the dashboard's own type check, each named, all run even when one fails.
import { spawnSync } from 'node:child_process';

const tools: [string, string[]][] = [
  ['types', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']],
  [
    'dashboard types',
    ['node_modules/svelte-check/bin/svelte-check', '--tsconfig', 'dashboard/tsconfig.json', '--threshold', 'error'],
  ],
  ['lint', ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.']],
  ['format', ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.']],
];
let failed = 0;
for (const [name, args] of tools) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
