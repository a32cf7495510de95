// The page as an operator meets it: the demo started as a process, the system's Chromium in front of it. Asserts only what
// the gateway's own API says of itself, so that any plant would do.
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, expect } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { listen, openBrowser } from '../../dashboard/test/browser.ts';
import type { AlarmList, Facility, Summary } from '../web/wire.ts';
import { findProgram, needs } from './needs.ts';
import { eventually, get, scratch, startGateway } from './rig.ts';
import type { Gateway } from './rig.ts';

const test = needs('chromium');
const folder = scratch();
let gateway: Gateway;
let browser: { context: BrowserContext; close(): Promise<void> } | undefined;
let facilities: Facility[] = [];

beforeAll(async () => {
  if (!findProgram('chromium')) return;
  // Port 9 is nobody's: a store elsewhere that is dead from the start.
  const dead = {
    PENSTOCK_FORWARD_QUESTDB_URL: 'http://127.0.0.1:9',
    PENSTOCK_FORWARD_QUESTDB_WIRE: 'postgres://127.0.0.1:9/qdb',
  };
  gateway = await startGateway('demo', [], folder.path, dead);
  facilities = await get<Facility[]>(`${gateway.http}/api/v1/facilities`);
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
  folder.remove();
});

async function open(path = '/'): Promise<{ page: Page; said: string[] }> {
  if (!browser) throw new Error('no browser');
  const page = await browser.context.newPage();
  const said = listen(page);
  await page.goto(gateway.http + path);
  await page
    .getByTestId('age')
    .getByText(/^Live · /)
    .waitFor();
  return { page, said };
}
const facility = (n: number): Facility => {
  const found = facilities[n];
  if (!found) throw new Error(`the gateway names ${facilities.length} facilities`);
  return found;
};
const summary = (id: string) => get<Summary>(`${gateway.http}/api/v1/dashboard/summary/${encodeURIComponent(id)}`);

test('values move, facilities change, the trend zooms', async () => {
  const { page, said } = await open();
  const { kpis } = await summary(facility(0).id);
  const cards = page.locator('[data-metric] .value');
  await cards.first().waitFor();
  expect(await cards.count()).toBe(Math.min(6, kpis.length));
  const before = await cards.allTextContents();
  expect(before.every((text) => /\d/.test(text))).toBe(true);
  await eventually(
    () => cards.allTextContents(),
    (now) => now.some((text, n) => text !== before[n]),
    10_000,
  );
  expect(await page.getByLabel('Metric').inputValue()).toBe(kpis[0]?.metric);

  const chart = page.getByRole('slider');
  const over = chart.locator('.u-over');
  await over.waitFor();
  const box = await over.boundingBox();
  if (!box) throw new Error('the chart has no size');
  await page.mouse.move(box.x + box.width * 0.3, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('true');
  await page.mouse.dblclick(box.x + box.width * 0.5, box.y + box.height / 2);
  await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('false');

  const choice = page.getByLabel('Facility');
  expect(await choice.locator('option').count()).toBe(facilities.length);
  for (const one of facilities.slice(1)) {
    await choice.selectOption(one.id);
    await page.getByRole('heading', { name: one.name, exact: true }).waitFor({ state: 'attached' });
    const { assets } = await summary(one.id);
    expect(assets.length).toBe(one.assets);
    const tiles = page.getByRole('region', { name: 'Machine floor' }).getByRole('button');
    await expect.poll(() => tiles.count()).toBe(one.assets);
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await expect.poll(sideways).toBeLessThanOrEqual(0);
  }
  expect(said).toEqual([]);
  await page.close();
});

test('an alarm acknowledged on the page is acknowledged in the gateway', async () => {
  const { alarms } = await get<AlarmList>(`${gateway.http}/api/v1/alarms`);
  const alarm = alarms.find((one) => one.active && one.unacked && one.shelvedUntil === undefined);
  if (!alarm) {
    // A quiet plant: then the page offers nothing to acknowledge either.
    const { page } = await open();
    expect(await page.getByRole('button', { name: /^Acknowledge / }).count()).toBe(0);
    return page.close();
  }
  const { page, said } = await open(`/?f=${encodeURIComponent(alarm.facility)}`);
  const button = page.getByRole('button', { name: `Acknowledge ${alarm.message}`, exact: true }).first();
  await button.click();
  const acknowledged = await eventually(
    () => get<AlarmList>(`${gateway.http}/api/v1/alarms`),
    (list) => !list.alarms.some((one) => one.event === alarm.event && one.unacked),
  );
  const kept = acknowledged.alarms.find((one) => one.event === alarm.event);
  if (kept) expect(kept.ackedAt).toBeGreaterThanOrEqual(alarm.raisedAt);
  expect(said).toEqual([]);
  await page.close();
});

test('a store elsewhere that is dead is said, and so is what history lacks for it', async () => {
  const { page, said } = await open();
  const store = page.locator('[data-part="forward.questdb"]');
  await store.getByText(/QuestDB: nothing stored yet, tried since \d\d:\d\d: .+ samples wait/).waitFor();
  await store.getByText(/^[\d,]+ samples? waiting$/).waitFor();
  // Before its first start another gateway may have filled that store, so the usual hours lack something as well.
  const trend = page.getByRole('region', { name: 'Trend', exact: true });
  await page.getByRole('button', { name: '30 d', exact: true }).click();
  await trend.getByText(/Not all of it: what is older than \d\d:\d\d is missing.* QuestDB/).waitFor();
  expect(said).toEqual([]);
  await page.close();
});

test('accessible in both themes and on a phone', async () => {
  const largest = [...facilities].sort((a, b) => b.assets - a.assets)[0] ?? facility(0);
  const { page, said } = await open(`/?f=${encodeURIComponent(largest.id)}`);
  const looks = [
    ['light', 1366],
    ['dark', 1366],
    ['light', 390],
  ] as const;
  for (const [colorScheme, width] of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    await page.getByRole('slider').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    const { violations } = await new AxeBuilder({ page })
      .withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'])
      .analyze();
    expect(violations.map((one) => `${colorScheme} ${width} ${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
  }
  expect(said).toEqual([]);
  await page.close();
});
