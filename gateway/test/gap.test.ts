// The gateway's own time away is a gap wherever history is looked at: killed or stopped in peace for longer than a tag may
// be silent, then started again. History says that nothing is known of that time, and the page's trend draws nothing there.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listen, openBrowser } from '../../dashboard/test/browser.ts';
import { configFiles } from '../../simulators/configuration.ts';
import { plants } from '../../simulators/plants/index.ts';
import type { Dict, DictTag, LiveValue, Summary, Timeseries } from '../web/wire.ts';
import { expectLedger } from './ledger.ts';
import { needs } from './needs.ts';
import { eventually, get, historyOf, scratch, startGateway, startSimulator } from './rig.ts';
import type { Gateway, SimulatorProcess } from './rig.ts';

const quick = plants.map(({ site }) => site).filter(({ interval }) => interval <= 3000);
const sites = ['modbus', 'opcua']
  .map((protocol) => quick.find((site) => site.protocol === protocol))
  .filter((site) => site !== undefined);
/** Longer than any tag may be silent, ms. */
const away = 13_000;
/** What may be under way when the gateway ends, and what a device still gives when it is back, ms. */
const slack = 3000;

const folder = scratch();
const config = join(folder.path, 'config');
let simulator: SimulatorProcess;
const gateways = new Map<'SIGKILL' | 'SIGTERM', Gateway>();
const tags: DictTag[] = [];
let left = 0;
let back = 0;

const start = (how: string) => startGateway('run', ['--config', config], join(folder.path, how), simulator.env);
const good = ({ quality, stale }: LiveValue): boolean => quality === 'good' && !stale;
async function live({ http }: Gateway): Promise<void> {
  for (const { id } of sites)
    await eventually(
      () => get<Summary>(`${http}/api/v1/dashboard/summary/${id}?hours=1`),
      ({ assets }) => assets.every(({ values }) => values.every(good)),
      60_000,
    );
}

beforeAll(async () => {
  for (const [path, text] of configFiles(sites)) {
    mkdirSync(dirname(join(config, path)), { recursive: true });
    writeFileSync(join(config, path), text);
  }
  simulator = await startSimulator(['--sites', sites.map(({ id }) => id).join(','), '--port-base', '0']);
  for (const how of ['SIGKILL', 'SIGTERM'] as const) gateways.set(how, await start(how));
  for (const gateway of gateways.values()) await live(gateway);
  await new Promise((resolve) => setTimeout(resolve, 2 * slack));
  const { tags: all } = await get<Dict>(`${gateways.get('SIGKILL')?.http}/api/v1/dict`);
  for (const { id } of sites) {
    const tag = all.find((one) => one.type === 'double' && one.asset.startsWith(`${id}/`));
    if (tag) tags.push(tag);
  }
  left = Date.now();
  await Promise.all([...gateways].map(([how, gateway]) => gateway.stop(how)));
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, left + away - Date.now())));
  back = Date.now();
  for (const how of gateways.keys()) gateways.set(how, await start(how));
  for (const gateway of gateways.values()) await live(gateway);
});
afterAll(async () => {
  await Promise.all([...gateways.values()].map((gateway) => gateway.stop()));
  await simulator?.stop();
  folder.remove();
});

const iso = (ms: number): string => new Date(ms).toISOString();

test.each(['SIGKILL', 'SIGTERM'] as const)('%s: raw, states, buckets and the curve have a gap', async (how) => {
  const { http } = gateways.get(how) as Gateway;
  expect(tags).toHaveLength(sites.length);
  const [from, to] = [left + slack, back - slack];
  for (const { id, asset, metric } of tags) {
    // What is live already is in history within a second.
    const said = await eventually(
      () => historyOf(http, id, (left - 2 * slack) * 1000, Date.now() * 1000),
      (samples) => samples.at(-1)?.status === 0,
    );
    const bad = said.filter(({ status }) => status >>> 31 === 1);
    // What a slow connection is said to be after the start is another matter.
    const ending = bad.filter(({ t }) => t / 1000 < to);
    expect(ending, id).toHaveLength(1);
    // Where the run ended, behind all that it had.
    const end = (ending[0]?.t ?? 0) / 1000;
    expect(end).toBeGreaterThan(left - slack);
    expect(end).toBeLessThan(left + slack);
    expect(said.filter(({ t }) => t / 1000 > end && t / 1000 < to)).toEqual([]);

    const range = `tags=${id}&from=${iso(from)}&to=${iso(to)}`;
    const states = await get<{ series: { spans: { from: string; to: string; quality: string }[] }[] }>(
      `${http}/api/v1/history/states?${range}`,
    );
    expect(states.series[0]?.spans).toMatchObject([{ quality: expect.stringMatching(/^(bad|none)$/) as string }]);
    expect(Date.parse(states.series[0]?.spans[0]?.from ?? '')).toBe(from);
    expect(Date.parse(states.series[0]?.spans[0]?.to ?? '')).toBe(to);

    const whole = `tags=${id}&from=${iso(left - 2 * slack)}&to=${iso(to)}&width=1s&figures=share`;
    const { t, series } = await get<{ t: string[]; series: { share: number[] }[] }>(
      `${http}/api/v1/history/buckets?${whole}`,
    );
    const share = series[0]?.share ?? [];
    expect(share.filter((_share, i) => Date.parse(t[i] ?? '') > from).every((one) => one === 0)).toBe(true);
    expect(share.slice(1, 3)).toEqual([1, 1]);

    const site = id.split('/')[0];
    const asked = `metric=${metric}&assets=${asset}&from=${left - 2 * slack}&to=${to}&points=4000`;
    const curve = await get<Timeseries>(`${http}/api/v1/dashboard/timeseries/${site}?${asked}`);
    const avg = curve.series[0]?.avg ?? [];
    expect(avg.filter((_value, i) => (curve.t[i] ?? 0) > from).every((value) => value === null)).toBe(true);
    expect(avg.slice(1, 3)).not.toContain(null);
  }
  await expectLedger(http);
});

needs('chromium')('the page draws nothing where nothing was known', async () => {
  const browser = await openBrowser();
  const page = await browser.context.newPage();
  const said = listen(page);
  try {
    for (const { asset, metric } of tags) {
      const query = new URLSearchParams({ f: asset.split('/')[0] ?? '', m: metric, a: asset, h: '1' });
      await page.goto(`${gateways.get('SIGKILL')?.http}/?${query}`);
      await page.locator('.u-over').waitFor();
      await page.getByRole('button', { name: 'Table' }).click();
      const cells = page.getByRole('region', { name: 'Trend as table' }).locator('td');
      // From the newest row on: values, none while the gateway was away, values, none before its first start.
      await expect
        .poll(async () => (await cells.allTextContents()).map((text) => (text === '—' ? '-' : 'v')).join(''))
        .toMatch(/^v+-+v+-+$/);
      await page.getByText(/\d gaps without data/).waitFor();
    }
    expect(said).toEqual([]);
  } finally {
    await browser.close();
  }
});
