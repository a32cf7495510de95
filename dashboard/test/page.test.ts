// The built page in the system's Chromium against a made-up plant: what an operator sees and does, without a complaint from
// the browser, from its content policy or from axe.
import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, expect } from 'vitest';
import type { BrowserContext } from 'playwright-core';
import { needs } from '../../gateway/test/needs.ts';
import { buildDashboard } from '../build.ts';
import { listen, openBrowser } from './browser.ts';
import { servePlant, type Plant } from './gateway.ts';

const test = needs('chromium');
let browser: { context: BrowserContext; close(): Promise<void> } | undefined;
const plants: Plant[] = [];

beforeAll(async () => void (await buildDashboard()), 60_000);
afterAll(async () => {
  await browser?.close();
  for (const plant of plants) await plant.close();
});

async function open(options?: Parameters<typeof servePlant>[0]) {
  const plant = await servePlant(options);
  plants.push(plant);
  browser ??= await openBrowser();
  const page = await browser.context.newPage();
  const said = listen(page);
  await page.goto(plant.url);
  return { plant, page, said };
}

test('an operator’s shift: live values, facility, zoom, acknowledge, stale and back', { timeout: 60_000 }, async () => {
  const { plant, page, said } = await open();
  const value = page.locator('[data-metric="flow"] .value');
  await page
    .getByTestId('age')
    .getByText(/Live · /)
    .waitFor();
  const before = await value.textContent();
  await expect.poll(() => value.textContent(), { timeout: 10_000 }).not.toBe(before);

  const chart = page.getByRole('slider');
  await chart.locator('.u-over').waitFor();
  const box = await chart.locator('.u-over').boundingBox();
  if (!box) throw new Error('the chart has no size');
  const drag = async () => {
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('true');
  };
  await drag();
  await chart.focus();
  await page.keyboard.press('ArrowLeft');
  expect(await chart.getAttribute('aria-valuetext')).toMatch(/Pump 1 .* m³\/h/);
  await page.keyboard.press('Escape');
  await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('false');
  await drag();
  const asTable = page.getByRole('button', { name: 'Table', exact: true });
  await asTable.click();
  await page.getByText(/^The newest 200 of \d+ rows/).waitFor();
  await page.getByRole('button', { name: 'Back to now' }).click();
  await asTable.click();
  await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('false');
  await chart.locator('.u-over').waitFor();
  await drag();
  await page.mouse.dblclick(box.x + box.width * 0.5, box.y + 40);
  await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('false');

  plant.turn('ease', { level: 'h', severity: 'high', message: 'Flow above its limit' });
  await page.getByText('Flow above its limit').waitFor();
  expect(await page.getByText('Flow far above its limit').count()).toBe(0);

  const acknowledge = page.getByRole('button', { name: 'Acknowledge Flow above its limit' });
  await acknowledge.click();
  await acknowledge.waitFor({ state: 'detached' });
  expect(plant.acknowledged).toMatchObject([{ event: 'e12' }]);

  plant.silence(true);
  await page.getByTestId('stale').waitFor({ timeout: 10_000 });
  expect(
    await page
      .getByRole('button', { name: /^Acknowledge/ })
      .first()
      .isDisabled(),
  ).toBe(true);
  plant.silence(false);
  await page.getByTestId('stale').waitFor({ state: 'detached', timeout: 10_000 });

  await page.getByLabel('Facility').selectOption('south');
  await page.getByText('6 assets', { exact: true }).waitFor();
  expect(page.url()).toContain('f=south');
  await page.goBack();
  await page.getByText('30 assets', { exact: true }).waitFor();
  expect(said).toEqual([]);
  await page.close();
});

test('zooming and panning fetch what the width shows, once the hand rests', { timeout: 60_000 }, async () => {
  const { plant, page, said } = await open();
  const chart = page.getByRole('slider');
  await chart.locator('.u-over').waitFor();
  const box = await chart.locator('.u-over').boundingBox();
  if (!box) throw new Error('the chart has no size');
  const base = plant.asked.at(-1);
  expect(Number(base?.get('points'))).toBeGreaterThanOrEqual(box.width);
  expect([base?.get('hours'), base?.get('from')]).toEqual(['12', null]);

  const before = plant.asked.length;
  const ranges = () =>
    plant.asked
      .slice(before)
      .flatMap((one) => (one.has('from') ? [[Number(one.get('from')), Number(one.get('to'))]] : []));
  await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await expect.poll(ranges).toHaveLength(1);
  const [[from = 0, to = 0] = []] = ranges();
  // A quarter of twelve hours, and half as much again on either side; the four curves drawn and no more.
  expect((to - from) / 3_600_000).toBeCloseTo(6, 0);
  expect(plant.asked.at(-1)?.getAll('assets')).toHaveLength(4);
  await page.getByText('auto (15 s)').waitFor({ state: 'attached' });
  // The pointer rests: its point is that of the finer data, at the same place.
  const pointed = Number(await chart.getAttribute('aria-valuenow')) / Number(await chart.getAttribute('aria-valuemax'));
  expect(pointed).toBeCloseTo(0.5, 1);

  await chart.focus();
  // All at once: on a slow machine single presses are further apart than the rest that is waited for.
  await chart.evaluate((element) => {
    const press = { key: 'ArrowLeft', shiftKey: true, bubbles: true, cancelable: true };
    for (let n = 0; n < 8; n++) element.dispatchEvent(new KeyboardEvent('keydown', press));
  });
  await expect.poll(ranges).toHaveLength(2);
  const [, [earlier = 0] = []] = ranges();
  // Eight quarters of the three hours shown.
  expect((from - earlier) / 3_600_000).toBeCloseTo(6, 0);
  await page.locator('.plot[aria-busy="false"]').waitFor();
  await page.keyboard.press('Shift+ArrowRight');
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(ranges()).toHaveLength(2);

  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await page.keyboard.down('Control');
  await Promise.all(Array.from({ length: 5 }, () => page.mouse.wheel(0, -250)));
  await page.keyboard.up('Control');
  await expect.poll(ranges).toHaveLength(3);
  // So close that the samples themselves are shown.
  await page.getByText('auto (samples)').waitFor({ state: 'attached' });
  expect(plant.looked).toHaveLength(1);
  expect(plant.looked[0]?.getAll('tags')).toHaveLength(4);
  await page.keyboard.press('Escape');
  await expect.poll(() => chart.getAttribute('data-zoomed')).toBe('false');
  await page.getByText('auto (1 min)').waitFor({ state: 'attached' });

  const asked = plant.asked.length;
  for (let wide = 1366; wide >= 1066; wide -= 10) await page.setViewportSize({ width: wide, height: 768 });
  await page.getByText('auto (5 min)').waitFor({ state: 'attached' });
  // Whatever is asked again in its turn meanwhile is asked as before.
  expect(new Set(plant.asked.slice(asked - 1).map((query) => query.get('points'))).size).toBe(2);
  expect(said).toEqual([]);
  await page.close();
});

test('a lost stream resumes behind its last event; a hidden tab lets it go', { timeout: 60_000 }, async () => {
  const plant = await servePlant();
  plants.push(plant);
  browser ??= await openBrowser();
  const page = await browser.context.newPage();
  await page.clock.install();
  await page.goto(plant.url);
  const live = page.getByTestId('age').getByText(/Live · /);
  await live.waitFor();
  plant.turn('escalate', { message: 'Said before the cut' });
  await page.getByText('Said before the cut').waitFor();
  plant.cut();
  await expect.poll(() => plant.resumed, { timeout: 10_000 }).toEqual(['', 'boot-1']);
  await live.waitFor();

  const show = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await show(true);
  await page.clock.fastForward(20_000);
  expect(plant.streams()).toBe(1);
  await page.clock.fastForward(11_000);
  await expect.poll(() => plant.streams()).toBe(0);
  plant.turn('ease', { message: 'Said while hidden' });
  await show(false);
  await page.getByText('Said while hidden').waitFor();
  await live.waitFor();
  expect(plant.resumed).toEqual(['', 'boot-1', 'boot-1']);

  // This computer sleeps: its wall clock alone goes on. One connection takes the place of the other.
  const eight = await page.evaluate(() => Date.now() + 8 * 3_600_000);
  await page.clock.setSystemTime(eight);
  await expect.poll(() => plant.resumed.length).toBe(4);
  await live.waitFor();
  await page.clock.fastForward(2000);
  await live.waitFor();
  expect([plant.resumed.length, plant.streams()]).toEqual([4, 1]);
  await page.close();
});

test('accessible in both themes, nothing wider than a phone, light and without controls on paper', async () => {
  const { page, said } = await open();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.getByRole('slider').waitFor();
    await page.getByText('Line 1').first().waitFor();
    const { violations } = await new AxeBuilder({ page })
      .withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'])
      .analyze();
    expect(violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  const y = async (name: string) => (await page.getByRole('heading', { name }).boundingBox())?.y ?? Number.NaN;
  expect(await y('Operational insights')).toBeLessThan(await y('Trend'));
  const assets = page.getByRole('table', { name: 'Assets with live values' });
  await expect.poll(() => assets.evaluate((table) => table.scrollWidth - table.clientWidth)).toBe(0);
  await assets.getByRole('columnheader', { name: 'Value' }).waitFor();

  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await page.emulateMedia({ media: 'print' });
  const text = () => page.evaluate(() => getComputedStyle(document.body).color);
  await expect.poll(text).toBe('rgb(22, 25, 29)');
  await page.getByPlaceholder('Filter').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Table', exact: true }).waitFor({ state: 'hidden' });
  // Nothing scrolls on paper: what is not drawn below the other is not there.
  await expect.poll(() => assets.getByRole('row').count()).toBe(121);
  expect(await assets.evaluate((table) => table.scrollHeight - table.clientHeight)).toBe(0);
  expect(await page.locator('main > .alarms').evaluate((box) => getComputedStyle(box).maxHeight)).toBe('none');
  const canvas = await page.locator('.trend canvas').boundingBox();
  expect(canvas?.height).toBeGreaterThan(100);
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  await page.emulateMedia({ media: 'screen' });
  await expect.poll(text).toBe('rgb(230, 232, 235)');
  expect(said).toEqual([]);
  await page.close();
});

test('a thousand tags: only the rows on screen are drawn', { timeout: 60_000 }, async () => {
  const { page, said } = await open({ wide: true, hz: 4 });
  await page.setViewportSize({ width: 1366, height: 768 });
  await page.getByText('990 tags', { exact: true }).waitFor();
  expect(await page.getByRole('table', { name: 'Assets with live values' }).getByRole('row').count()).toBeLessThan(40);
  await page.keyboard.press('/');
  await page.keyboard.type('pump level');
  await page.getByText(/^\d+ of 990$/).waitFor();
  const frames = await page.evaluate(
    () =>
      new Promise<number[]>((resolve) => {
        const times: number[] = [];
        let last = performance.now();
        const step = (now: number) => {
          times.push(now - last);
          last = now;
          if (times.length < 180) requestAnimationFrame(step);
          else resolve(times.slice(1).sort((a, b) => a - b));
        };
        requestAnimationFrame(step);
      }),
  );
  console.log(`frame times with 990 tags at 4 Hz: p50 ${frames[89]?.toFixed(1)} ms, p99 ${frames[176]?.toFixed(1)} ms`);
  expect(said).toEqual([]);
  await page.close();
});
