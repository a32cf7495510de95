// The plain namespace as clients from outside see it: the whole room with real sockets.
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Alarm } from '../model.ts';
import { needs } from '../test/needs.ts';
import { alarm, catalogOf, fill, flow, gatewayStatus, live, open, parsed, reader, sample, until } from './bed.ts';

describe('the plain namespace', () => {
  test('is there for whoever comes late: values, state, description, presence, alarms', async () => {
    const { room, port, present } = await open();
    present.alarms.push(alarm);
    room.use(catalogOf({ 'north/pump-1': ['flow', 'level'] }, 2));
    room.offer(live([sample(1, 4.5)]));
    const first = await reader(port);
    await first.until(() => first.last.has('penstock/demo/north/pump-1/_data/level') && first.last.has(gatewayStatus));
    const late = await reader(port);
    await late.until(() => late.last.size >= 6);
    expect(late.heard.every((message) => message.retain)).toBe(true);
    expect(parsed(late.last.get(flow))).toMatchObject({ value: 1.5, quality: 'good', unit: 'bar' });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_data/level'))).toMatchObject({ value: 4.5 });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_state'))).toEqual({
      status: 'operational',
      comm: 'ok',
      since: '2026-01-01T00:00:00.000Z',
    });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_meta'))).toMatchObject({
      kind: 'pump',
      tags: { flow: { unit: 'bar', device: 'plc' } },
    });
    expect(parsed(late.last.get('penstock/demo/north/pump-1/_alarm/flow'))).toMatchObject({
      active: true,
      raisedAt: '2026-01-01T00:00:00.000Z',
    });
    expect(parsed(late.last.get(gatewayStatus))).toMatchObject({ online: true, version: '1.2.3' });
  });

  test('an alarm’s topic appears, and is cleared when it is normal; its events are not retained', async () => {
    const { room, port } = await open();
    const seen = await reader(port);
    const topic = 'penstock/demo/north/pump-1/_alarm/flow';
    room.offer(live([], [{ kind: 'alarm', id: '1', time: 1, transition: 'raise', alarm }]));
    await seen.until(() => seen.last.has(topic) && seen.last.has('penstock/demo/north/pump-1/_event'));
    expect(parsed(seen.last.get('penstock/demo/north/pump-1/_event'))).toMatchObject({
      kind: 'alarm',
      transition: 'raise',
      alarm: { key: alarm.key },
    });
    room.offer(
      live(
        [],
        [{ kind: 'alarm', id: '2', time: 2, transition: 'clear', alarm: { ...alarm, active: false, unacked: false } }],
      ),
    );
    await seen.until(() => seen.last.get(topic) === '');
    const late = await reader(port);
    await late.until(() => late.last.has(gatewayStatus));
    expect([...late.last.keys()].filter((key) => /_alarm|_event/.test(key))).toEqual([]);
  });

  test('a lost device is told below the gateway, in the sites it has tags in', async () => {
    const { room, port } = await open({ 'north/pump-1': ['flow'], 'south/pump-1': ['flow'] });
    const seen = await reader(port);
    room.offer(live([], [{ kind: 'device', id: '1', time: 1, device: 'plc', state: 'offline', reason: 'refused' }]));
    const places = ['north', 'south'].map((site) => `penstock/demo/${site}/_gateway/gw1/_event`);
    await seen.until(() => places.every((place) => seen.last.has(place)));
    const comm: Alarm = { ...alarm, asset: undefined, tag: undefined, name: 'comm.plc', kind: 'comm', device: 'plc' };
    room.offer(live([], [{ kind: 'alarm', id: '2', time: 2, transition: 'raise', alarm: comm }]));
    await seen.until(() => seen.last.has('penstock/demo/north/_gateway/gw1/_alarm/comm.plc'));
  });

  test('a new configuration clears the topics that are gone and keeps the others', async () => {
    const { room, port } = await open();
    room.offer(live([sample(0, 2), sample(1, 3)]));
    const seen = await reader(port);
    await seen.until(() => seen.last.has('penstock/demo/north/pump-1/_data/level'));
    room.use(catalogOf({ 'north/pump-1': ['flow'] }, 2));
    await seen.until(() => seen.last.get('penstock/demo/north/pump-1/_data/level') === '');
    const late = await reader(port);
    await late.until(() => late.last.has(flow));
    expect(late.last.has('penstock/demo/north/pump-1/_data/level')).toBe(false);
  });

  test('only live batches are shown, and late samples are not', async () => {
    const { room, port } = await open();
    const seen = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    await seen.until(() => seen.last.has(flow));
    room.offer({ ...live([sample(0, 77)]), origin: 'backfill' });
    room.offer(live([sample(0, 78, { flags: 2 })]));
    room.offer(live([sample(1, 5)]));
    await seen.until(() => seen.last.has('penstock/demo/north/pump-1/_data/level'));
    expect(seen.heard.map((message) => parsed(message.text)['value'])).toEqual([1.5, 5]);
  });

  test('in a burst the newest value of each tag wins and the rest is counted', async () => {
    const metrics = Array.from({ length: 100 }, (_, i) => `m${i}`);
    const { room, port, status } = await open({ 'north/pump-1': metrics });
    const seen = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    for (let i = 0; i < 20_000; i += 100) room.offer(live(metrics.map((_, tag) => sample(tag, i + tag))));
    await seen.until(() =>
      metrics.every(
        (metric, tag) =>
          parsed(seen.last.get(`penstock/demo/north/pump-1/_data/${metric}`))?.['value'] === 19_900 + tag,
      ),
    );
    expect(status.value('penstock_mqtt_merged_total')).toBeGreaterThan(15_000);
    expect(seen.heard.length).toBeLessThan(5_000);
  });

  test('reaches a newcomer whole whose connection is full just then', async () => {
    const metrics = Array.from({ length: 1000 }, (_, i) => `m${i}`);
    const { room, port, status } = await open({ 'north/pump-1': metrics });
    room.offer(live(metrics.map((_, tag) => sample(tag, tag))));
    await until(() => status.value('penstock_mqtt_published_total') >= 1000);
    const seen = await reader(port, 'filler');
    const stream = seen.client.stream as Socket;
    stream.pause();
    const flood = await reader(port, '');
    await fill(flood, status);
    seen.client.subscribe('penstock/demo/north/pump-1/_data/#', { qos: 0 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    stream.resume();
    await seen.until(() => metrics.every((metric) => seen.last.has(`penstock/demo/north/pump-1/_data/${metric}`)));
  });

  needs('mosquitto_sub')('mosquitto_sub sees the retained plant', async () => {
    const { port } = await open();
    const first = await reader(port);
    await first.until(() => first.last.has(flow) && first.last.has(gatewayStatus));
    const child = spawn('mosquitto_sub', [
      '-p',
      String(port),
      '-t',
      '#',
      '-v',
      '-C',
      '4',
      '-W',
      '5',
      '--retained-only',
    ]);
    let text = '';
    child.stdout.on('data', (part: Buffer) => (text += part.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    expect(text).toContain(`${flow} {"value":1.5,"quality":"good"`);
    expect(text).toContain(`${gatewayStatus} {"online":true`);
  });
});
