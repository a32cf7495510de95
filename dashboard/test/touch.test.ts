// The trend under a finger and under the keys: panned, pinched from samples to a year and back to now, with few requests,
// each for what the screen's width shows. Real touch events by Chromium's own protocol.
import { afterAll, beforeAll, expect } from 'vitest';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { needs } from '../../gateway/test/needs.ts';
import { buildDashboard } from '../build.ts';
import { listen, openBrowser } from './browser.ts';
import { servePlant, type Plant } from './gateway.ts';

const test = needs('chromium');
const hour = 3_600_000;
let browser: { context: BrowserContext; close(): Promise<void> } | undefined;
let plant: Plant;

beforeAll(async () => {
  await buildDashboard();
  plant = await servePlant();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await plant?.close();
});

interface Spot {
  x: number;
  y: number;
}
interface Hand {
  page: Page;
  said: string[];
  box: { x: number; y: number; width: number; height: number };
  /** Fingers go from these places to those, a step a frame. */
  move(from: Spot[], to: Spot[], steps?: number): Promise<void>;
  /** Ranges of curves asked for since the last call. */
  ranges(): { from: number; to: number }[];
  zoomed(): Promise<string | null>;
}

async function open(): Promise<Hand> {
  browser ??= await openBrowser({ width: 1024, height: 768 });
  const page = await browser.context.newPage();
  const said = listen(page);
  const cdp: CDPSession = await browser.context.newCDPSession(page);
  await cdp.send('Emulation.setTouchEmulationEnabled', { enabled: true, maxTouchPoints: 2 });
  await page.goto(plant.url);
  const over = page.locator('.u-over');
  await over.waitFor();
  await over.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  const box = await over.boundingBox();
  if (!box) throw new Error('the chart has no size');
  let seen = plant.asked.length;
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', places: Spot[]) =>
    cdp.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: places.map(({ x, y }, id) => ({ x: Math.round(x), y: Math.round(y), id })),
    });
  return {
    page,
    said,
    box,
    async move(from, to, steps = 10) {
      await touch('touchStart', from);
      // One behind the other without a rest, however slow the machine is.
      await Promise.all(
        Array.from({ length: steps }, (_none, n) => {
          const share = (n + 1) / steps;
          const between = (a: number, b = 0) => a + (b - a) * share;
          return touch(
            'touchMove',
            from.map((spot, k) => ({ x: between(spot.x, to[k]?.x), y: between(spot.y, to[k]?.y) })),
          );
        }),
      );
      await touch('touchEnd', []);
    },
    ranges() {
      const fresh = plant.asked.slice(seen).filter((one) => one.has('from'));
      seen = plant.asked.length;
      return fresh.map((one) => ({ from: Number(one.get('from')), to: Number(one.get('to')) }));
    },
    zoomed: () => page.getByRole('slider').getAttribute('data-zoomed'),
  };
}

test('fingers pan and pinch; what is asked for is little and fits the screen', async () => {
  const { page, said, box, move, ranges, zoomed } = await open();
  const at = (share: number, down = 0.5): Spot => ({ x: box.x + box.width * share, y: box.y + box.height * down });
  let [gestures, moves] = [0, 0];
  const drag = async (from: Spot[], to: Spot[], steps = 10) => {
    gestures++;
    moves += steps;
    await move(from, to, steps);
  };
  let requests = 0;
  /** What is shown, once nothing more is asked for; what was asked for last holds it, and is as fine as the screen. */
  const settled = async () => {
    for (let quiet = 0; quiet < 2; await page.waitForTimeout(300)) {
      const fresh = ranges().length;
      requests += fresh;
      quiet = fresh > 0 ? 0 : quiet + 1;
    }
    const chart = page.getByRole('slider');
    const [from, to] = await Promise.all(['data-from', 'data-to'].map((name) => chart.getAttribute(name)));
    const shown = { from: Number(from), to: Number(to) };
    const last = plant.asked.at(-1);
    expect(Number(last?.get('from'))).toBeLessThanOrEqual(shown.from);
    expect(Number(last?.get('to'))).toBeGreaterThanOrEqual(shown.to);
    expect(Number(last?.get('points'))).toBeLessThanOrEqual(2 * box.width + 400);
    return { ...shown, width: shown.to - shown.from };
  };

  await move([at(0.5)], [{ ...at(0.5), x: at(0.5).x + 3 }], 3);
  expect(await zoomed()).toBe('false');

  await drag([at(0.3)], [at(0.7)], 30);
  expect(await zoomed()).toBe('true');
  const panned = await settled();
  expect(panned.width / hour).toBeCloseTo(12, 0);
  // By 40 % of the width.
  expect((Date.now() - panned.to) / hour).toBeCloseTo(4.8, 0);

  // A spread to the fourfold is a quarter of the time, about the same middle.
  await drag([at(0.45), at(0.55)], [at(0.3), at(0.7)]);
  const closer = await settled();
  expect(closer.width / hour).toBeCloseTo(3, 0);
  expect((closer.from + closer.to - panned.from - panned.to) / 2 / hour).toBeCloseTo(0, 0);

  for (let n = 0; n < 2; n++) await drag([at(0.48), at(0.52)], [at(0.2), at(0.8)]);
  expect((await settled()).width).toBeLessThan(hour / 30);
  await page.getByText('auto (samples)').waitFor({ state: 'attached' });

  for (let n = 0; n < 8; n++) await drag([at(0.1), at(0.9)], [at(0.45), at(0.55)]);
  expect((await settled()).width / hour).toBeCloseTo(366 * 24, 3);
  await page.getByText('auto (12 h)').waitFor({ state: 'attached' });
  console.log(`${requests} curves asked for over ${gestures} gestures of ${moves} movements`);
  expect(requests).toBeLessThanOrEqual(2 * gestures);

  await page.getByRole('button', { name: 'Back to now' }).click();
  expect(await zoomed()).toBe('false');
  await page.getByText('auto (5 min)').waitFor({ state: 'attached' });

  // Up and down belongs to the page.
  const scrolled = () => page.evaluate(() => scrollY);
  const before = await scrolled();
  await move([at(0.5, 0.8)], [at(0.5, 0.1)], 12);
  await expect.poll(scrolled).not.toBe(before);
  expect(await zoomed()).toBe('false');
  expect(said).toEqual([]);
  await page.close();
});

test('keys pan and zoom; a question that is no longer asked is called off', async () => {
  const { page, said, ranges, zoomed } = await open();
  const chart = page.getByRole('slider');
  await chart.focus();
  const before = plant.calledOff();
  plant.past.delay = 3000;
  await page.keyboard.press('+');
  await expect.poll(() => ranges().length).toBe(1);
  plant.past.delay = 0;
  await page.keyboard.press('+');
  await expect.poll(() => ranges().length).toBe(1);
  await expect.poll(() => plant.calledOff()).toBe(before + 1);
  await page.getByText('auto (30 s)').waitFor({ state: 'attached' });
  // A quarter of the width to the left is there already.
  await page.locator('.plot[aria-busy="false"]').waitFor();
  await page.keyboard.press('Shift+ArrowLeft');
  await page.waitForTimeout(400);
  expect(ranges()).toEqual([]);
  await page.keyboard.press('-');
  await page.keyboard.press('Escape');
  expect(await zoomed()).toBe('false');
  expect(said).toEqual([]);
  await page.close();
});
