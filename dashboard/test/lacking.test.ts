// What of history could not be had, and which store elsewhere takes nothing, is said while it is so and no longer; no answer at
// all, no data and not yet are told apart.
import { afterAll, beforeAll, expect } from 'vitest';
import type { BrowserContext } from 'playwright-core';
import { needs } from '../../gateway/test/needs.ts';
import { buildDashboard } from '../build.ts';
import { openBrowser } from './browser.ts';
import { servePlant, type Plant } from './gateway.ts';

const test = needs('chromium');
let browser: { context: BrowserContext; close(): Promise<void> } | undefined;
let plant: Plant;

beforeAll(async () => {
  await buildDashboard();
  plant = await servePlant();
});
afterAll(async () => {
  await browser?.close();
  await plant?.close();
});

test('a part that is missing is said on trend and figures, a store in trouble above them, and both are gone with the next whole answer', async () => {
  browser = await openBrowser();
  const page = await browser.context.newPage();
  await page.clock.install();
  plant.past.incomplete = 'what is older than 06:00 is missing: no answer within 5 s';
  plant.past.incompleteUntil = Date.now() - 6 * 3_600_000;
  plant.health.components = [{ name: 'forward.postgres', state: 'degraded', reason: 'nothing stored', seconds: 9 }];
  await page.goto(plant.url);
  const trend = page.getByRole('region', { name: 'Trend', exact: true });
  const figures = page.getByRole('region', { name: 'Key figures' });
  await trend.getByText('no answer within 5 s').waitFor();
  await figures.getByText('no answer within 5 s').waitFor();
  const store = page.getByRole('region', { name: 'Trouble in the gateway' });
  await store.getByText('PostgreSQL: nothing stored').waitFor();
  plant.health.components = [];
  plant.past.incomplete = undefined;
  plant.past.incompleteUntil = undefined;
  await page.clock.fastForward(16_000);
  await trend.getByText('Not all of it').waitFor({ state: 'detached' });
  await store.waitFor({ state: 'detached' });
  await figures.getByText('are not of all').waitFor({ state: 'detached' });

  plant.past.fails = 'History cannot be read just now: the disk does not answer.';
  await page.getByRole('button', { name: '24 h', exact: true }).click();
  await trend.getByText('the disk does not answer').waitFor();
  await page.locator('.page > [role=status]').getByText('the disk does not answer').waitFor();
  plant.past.fails = undefined;
  await page.clock.fastForward(16_000);
  await expect.poll(() => page.getByText('the disk does not answer').count()).toBe(0);
  await page.close();
});
