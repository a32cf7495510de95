// One test run for the whole tree; tests stand beside the code. Whole-system tests are the slow ones and run in
// the same run: files are spread over the cores, and nothing in them depends on how fast the machine is.
import { defineConfig } from 'vitest/config';
import { svelte } from '@sveltejs/vite-plugin-svelte';

export default defineConfig({
  plugins: [svelte()],
  test: {
    include: ['gateway/**/*.test.ts', 'simulators/**/*.test.ts', 'dashboard/**/*.test.ts'],
    pool: 'forks',
    // Most of the time of most tests is waiting: for a device's second, for a child process, for a disk.
    maxWorkers: 2,
    // Real devices, brokers and databases on a machine shared with others: one second try there, and the report says so.
    retry: process.env.CI ? 1 : 0,
    // Limits are there for what hangs: how long something takes says nothing where others use the same cores.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    teardownTimeout: 20_000,
  },
});
