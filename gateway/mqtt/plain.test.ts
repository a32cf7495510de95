// The pure parts: topic names, payloads, packet borders.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Flag, Status } from '../model.ts';
import type { Alarm, Sample } from '../model.ts';
import { PacketMeter } from './limit.ts';
import { isNormal, samplePayload } from './payload.ts';
import { Topics, segment } from './topics.ts';

const t = Date.UTC(2026, 10, 20, 12, 0, 0, 123) * 1000 + 456;
const sample = (change: Partial<Sample> = {}): Sample => ({
  tag: 0,
  t,
  receivedAt: t,
  value: 7.2,
  status: 0,
  flags: 0,
  ...change,
});
const bar = { unit: 'bar' };

describe('a value’s payload', () => {
  test('has exactly the fields of the contract, in order', () => {
    expect(samplePayload(bar, sample())).toBe(
      '{"value":7.2,"quality":"good","status":0,"timestamp":"2026-11-20T12:00:00.123Z","unit":"bar"}',
    );
  });
  test('shows a made sample with the time of its value, and its status unsigned', () => {
    const lost = sample({ t: t + 9e6, valueAt: t, status: Status.badNoCommunication | 0, flags: Flag.made });
    expect(JSON.parse(samplePayload(bar, lost))).toMatchObject({
      quality: 'bad',
      status: 0x80310000,
      timestamp: '2026-11-20T12:00:00.123Z',
    });
  });
  test.each<[Sample['value'], unknown, string]>([
    [Number.NaN, null, 'bad'],
    [Number.NEGATIVE_INFINITY, null, 'bad'],
    [null, null, 'good'],
    [true, true, 'good'],
    [2n ** 53n - 1n, 2 ** 53 - 1, 'good'],
    [2n ** 53n + 1n, '9007199254740993', 'good'],
    [-(2n ** 63n), '-9223372036854775808', 'good'],
    ['idle', 'idle', 'good'],
  ])('says %s as %s', (value, shown, quality) => {
    expect(JSON.parse(samplePayload(bar, sample({ value })))).toMatchObject({ value: shown, quality });
  });
  test('names an enumeration’s value, tells of a skewed clock, and leaves out an empty unit', () => {
    const payload = JSON.parse(
      samplePayload({ unit: '', names: { 2: 'running' } }, sample({ value: 2, flags: Flag.skewed })),
    ) as object;
    expect(payload).toMatchObject({ value: 2, text: 'running', clock: 'skewed' });
    expect(payload).not.toHaveProperty('unit');
  });
});

describe('topics', () => {
  const topics = new Topics('penstock', 'demo', 'gw 1');
  test('follow the asset’s path', () => {
    expect(topics.data('north/line 1/pump-1', 'flow')).toBe('penstock/demo/north/line_1/pump-1/_data/flow');
    expect(topics.alarm({ asset: 'north/pump-1', site: 'north', name: 'flow.stale' })).toBe(
      'penstock/demo/north/pump-1/_alarm/flow.stale',
    );
    expect(topics.alarm({ site: 'north', name: 'comm.plc' })).toBe('penstock/demo/north/_gateway/gw_1/_alarm/comm.plc');
    expect(topics.gatewayStatus('north')).toBe('penstock/demo/north/_gateway/gw_1/status');
  });
  test('have no wildcard, separator, control character or leading underscore in a level, whatever the name', () => {
    expect(segment('São Paulo +1')).toBe('São_Paulo__1');
    expect(segment('$a#b/c')).toBe('a_b_c');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => /^[^_$\s+#/\p{Cc}][^\s+#/\p{Cc}]*$/u.test(segment(name))),
    );
  });
});

test('an alarm is normal when inactive, acknowledged and not shelved', () => {
  const alarm = { active: false, unacked: false } as Alarm;
  expect(isNormal(alarm)).toBe(true);
  expect(isNormal({ ...alarm, unacked: true })).toBe(false);
  expect(isNormal({ ...alarm, active: true })).toBe(false);
  expect(isNormal({ ...alarm, shelvedUntil: 1 })).toBe(false);
});

describe('packet borders', () => {
  const packet = (body: number): Buffer => {
    const head = [0x30];
    let rest = body;
    do {
      head.push((rest & 127) | (rest > 127 ? 128 : 0));
      rest >>= 7;
    } while (rest > 0);
    // A body of what looks like the longest headers, should borders ever be lost.
    return Buffer.concat([Buffer.from(head), Buffer.alloc(body, 0xff)]);
  };
  test('are found however the stream is cut; a longer packet is refused at its header', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 90 })),
        (bodies, cuts) => {
          const meter = new PacketMeter(300);
          let stream = Buffer.concat(bodies.map(packet));
          for (const cut of cuts) {
            if (!meter.take(stream.subarray(0, cut))) return false;
            stream = stream.subarray(cut);
          }
          return meter.take(stream) && !meter.take(packet(301).subarray(0, 3));
        },
      ),
    );
  });
  test('a length of more than four bytes is refused', () => {
    expect(new PacketMeter(2 ** 30).take(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]))).toBe(false);
  });
});
