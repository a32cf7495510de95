// The broker against clients that are slow, frozen, too long, out of order or no MQTT clients at all.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { catalogOf, fill, flow, gatewayStatus, live, open, parsed, reader, sample, until } from './bed.ts';
import { Broker, isLoopback, maxPacket } from './broker.ts';

describe('the broker', () => {
  test('keeps clients out of the gateway’s topics, and takes commands only unretained', async () => {
    const { port, status } = await open();
    const seen = await reader(port, 'penstock/#');
    const forger = await reader(port, '');
    const closed = new Promise<void>((resolve) => forger.client.once('close', () => resolve()));
    forger.client.publish(flow, '{"value":999}', { retain: true });
    await closed;
    expect(status.value('penstock_mqtt_refused_total', { reason: 'namespace' })).toBe(1);
    const operator = await reader(port, '');
    await operator.client.publishAsync('penstock/demo/north/pump-1/_cmd/flow', 'old', { retain: true, qos: 1 });
    await operator.client.publishAsync('penstock/demo/north/pump-1/_cmd/flow', 'new', { qos: 1 });
    await operator.client.publishAsync('elsewhere/note', 'hello', { qos: 1 });
    await seen.until(() => seen.last.has('penstock/demo/north/pump-1/_cmd/flow'));
    const commands = seen.heard.filter((message) => message.topic.includes('_cmd')).map((message) => message.text);
    expect(commands).toEqual(['new']);
    const late = await reader(port);
    await late.until(() => late.last.has(gatewayStatus) && late.last.has(flow));
    expect([...late.last.keys()].filter((topic) => topic.includes('_cmd') || topic.startsWith('$'))).toEqual([]);
    expect(parsed(late.last.get(flow))).toMatchObject({ value: 1.5 });
  });

  test('disconnects a client whose packet is too long, before it is all in memory', async () => {
    const { port, status } = await open();
    const good = await reader(port, 'big/#');
    await good.client.publishAsync('big/fits', Buffer.alloc(maxPacket - 100, 65), { qos: 1 });
    await good.until(() => good.last.has('big/fits'));
    const sender = await reader(port, '');
    const closed = new Promise<void>((resolve) => sender.client.once('close', () => resolve()));
    sender.client.publish('big/too', Buffer.alloc(maxPacket + 1, 65));
    await closed;
    expect(status.value('penstock_mqtt_refused_total', { reason: 'size' })).toBe(1);
    expect(good.last.has('big/too')).toBe(false);
  });

  test('a frozen subscriber does not hold up a healthy one', async () => {
    const metrics = Array.from({ length: 50 }, (_, i) => `m${i}`);
    const { room, port, status } = await open({ 'north/pump-1': metrics });
    const frozen = await reader(port, '#');
    (frozen.client.stream as Socket).pause();
    const flood = await reader(port, '');
    const healthy = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    await fill(flood, status);
    for (let round = 1; round <= 20; round++) {
      room.offer(live(metrics.map((_, tag) => sample(tag, round))));
      await healthy.until(
        () => parsed(healthy.last.get('penstock/demo/north/pump-1/_data/m49'))?.['value'] === round,
        2000,
      );
    }
  });

  test('loses no message that a later one overtakes, and gives each once to overlapping subscriptions', async () => {
    const { port, room } = await open();
    const seen = await reader(port, 'penstock/#');
    await seen.client.subscribeAsync('penstock/demo/#', { qos: 0 });
    await seen.until(() => seen.last.has(gatewayStatus) && seen.last.has(flow));
    const from = seen.heard.length;
    const state = { status: 'down', comm: 'ok', since: 0 } as const;
    for (let i = 0; i < 50; i++) {
      room.offer(
        live(
          [sample(0, i)],
          [{ kind: 'state', id: `s${i}`, time: i, asset: 'north/pump-1', state: { ...state, since: i } }],
        ),
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
    const events = () => seen.heard.slice(from).filter((message) => message.topic.endsWith('/_event'));
    await seen.until(
      () =>
        parsed(seen.last.get(flow))['value'] === 49 &&
        parsed(seen.last.get('penstock/demo/north/pump-1/_state'))['status'] === 'down' &&
        events().length >= 50,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events().map((message) => parsed(message.text)['id'])).toEqual(
      Array.from({ length: 50 }, (_, i) => `s${i}`),
    );
    expect(parsed(seen.last.get('penstock/demo/north/pump-1/_state'))['since']).toBe('1970-01-01T00:00:00.049Z');
  });

  test('a newcomer never hears an older retained message after a newer one', async () => {
    const metrics = Array.from({ length: 100 }, (_, i) => `m${i}`);
    const { room, port, present } = await open({ 'north/pump-1': metrics });
    room.offer(live(metrics.map((_, tag) => sample(tag, 1))));
    const before = await reader(port, 'penstock/demo/north/pump-1/_data/#');
    await before.until(() => before.last.size === 100);

    const late = await reader(port, '');
    // At the first one told, the first half changes and the other half goes.
    late.client.once('message', () => {
      present.samples.clear();
      room.offer(live(metrics.slice(0, 50).map((_, tag) => sample(tag, 2))));
      room.use(catalogOf({ 'north/pump-1': metrics.slice(0, 50) }, 2));
    });
    await late.client.subscribeAsync('penstock/demo/north/pump-1/_data/#');
    await before.until(() => [...before.last.values()].filter((text) => text === '').length === 50);
    const gone = 'penstock/demo/north/pump-1/_data/m99';
    await late.until(() => late.heard.some(({ topic, retain }) => topic === gone && !retain));
    // One more round trip, in which what was read ahead would still come.
    await late.client.subscribeAsync('elsewhere');
    const ends = metrics.map((metric) => late.last.get(`penstock/demo/north/pump-1/_data/${metric}`) ?? 'nothing');
    expect(ends.slice(0, 50).map((text) => parsed(text)['value'])).toEqual(Array.from({ length: 50 }, () => 2));
    expect(ends.slice(50)).toEqual(Array.from({ length: 50 }, () => ''));
  });

  test('a newcomer too slow to be told what changes meanwhile is told it in place of what was before', async () => {
    const { port, status } = await open();
    const writer = await reader(port, '');
    const topics = Array.from({ length: 60 }, (_, i) => `kept/${100 + i}`);
    const much = Buffer.alloc(200_000, 65);
    for (const topic of topics) await writer.client.publishAsync(topic, much, { retain: true, qos: 1 });
    const late = connect(port, '127.0.0.1');
    onTestFinished(() => void late.destroy());
    late.pause();
    // CONNECT as z, SUBSCRIBE to kept/#; then it reads nothing.
    late.write(Buffer.from('\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01z\x82\x0b\0\x01\0\x06kept/#\0', 'latin1'));
    const drops = () => status.value('penstock_mqtt_dropped_total');
    await until(() => {
      writer.client.publish('kept/none', 'x');
      return drops() > 0;
    });
    const before = drops();
    for (const topic of topics) writer.client.publish(topic, 'new', { retain: true });
    await until(() => drops() >= before + topics.length);
    const heard = new Set<string>();
    let rest = '';
    late.setEncoding('latin1').on('data', (text: string) => {
      for (const [topic] of (rest + text).matchAll(/kept\/\d{3}/g)) heard.add(topic);
      rest = (rest + text).slice(-20);
    });
    late.resume();
    await until(() => heard.has('kept/159'), 5000);
    expect(topics.filter((topic) => !heard.has(topic))).toEqual([]);
  });

  test('binds to loopback only, and says which port is busy', async () => {
    expect(['127.0.0.1', '127.1.2.3', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', ''].some(isLoopback)).toBe(false);
    const { port, status } = await open();
    const settings = { host: '127.0.0.1', port, prefix: 'penstock', insecure: false };
    const second = new Broker(settings, status);
    await expect(second.listen()).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `port ${port} of 127.0.0.1 is in use: choose another mqtt.port (--mqtt-port)`,
    });
    const other = await second.listen(0);
    expect(other.port).not.toBe(port);
    await second.close();
    await expect(new Broker({ ...settings, host: '0.0.0.0' }, status).listen()).rejects.toMatchObject({
      code: 'EINSECURE',
    });
  });

  test('survives garbage', async () => {
    const { port } = await open();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\u0000\u0000', '\u0010\u0005abcde', '\u00f0'.repeat(64)]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(Buffer.from(bytes, 'latin1'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    const seen = await reader(port);
    await seen.until(() => seen.last.has(flow));
  });

  test('ends in bounded time with clients connected, frozen ones too', async () => {
    const { room, port } = await open();
    const frozen = await reader(port);
    (frozen.client.stream as Socket).pause();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    await room.close();
    await room.close();
    const again = connect(port, '127.0.0.1');
    await expect(
      new Promise((resolve, reject) => again.once('connect', resolve).once('error', reject)),
    ).rejects.toThrow();
    socket.destroy();
  });
});
