// The stream's rules on a manual clock with clients that can be slow, and once over real sockets.
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { Flag } from '../model.ts';
import { Status } from '../status.ts';
import { FLOW, FLOW_2, LEVEL, Now, bed, other, plant, raised, site } from './bed.ts';
import { Hub } from './hub.ts';
import { AlarmRing } from './ring.ts';
import type { StreamDelta, StreamSnap } from './wire.ts';

interface Event {
  id: string;
  event: string;
  data: unknown;
}
const eventsOf = (text: string): Event[] =>
  text
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => ({
      id: /^id: (.*)$/m.exec(block)?.[1] ?? '',
      event: /^event: (.*)$/m.exec(block)?.[1] ?? '',
      data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null') as unknown,
    }));

/** A client that takes `room` further writes. */
class Client {
  text = '';
  room = Infinity;
  ended = false;
  write(text: string): boolean {
    this.text += text;
    return --this.room > 0;
  }
  end(): void {
    this.ended = true;
  }
  /** What came since the last look. */
  look(): Event[] {
    const events = eventsOf(this.text);
    this.text = '';
    return events;
  }
  names(): string[] {
    return this.look().map(({ event, data }) =>
      event === 'al' ? `al ${(data as { a: { event: string } }).a.event}` : event,
    );
  }
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let clock: ManualClock;
let now: Now;
let hub: Hub;
let status: Status;
beforeEach(() => {
  clock = new ManualClock();
  now = new Now();
  status = new Status(quiet);
  hub = new Hub({ catalog: plant(), clock, status, present: now, hello: { version: '1' }, ringSize: 4 });
  hub.start();
});
afterEach(() => hub.close());

const join = (facility?: string, lastId?: string, client = new Client()) => ({
  client,
  joined: hub.join(client, facility, 1, lastId),
});
const deltas = (client: Client) =>
  client
    .look()
    .filter((event) => event.event === 'd')
    .map((event) => event.data as StreamDelta);

describe('values', () => {
  test('first hello, then everything, then only what changed, of the facility alone', async () => {
    hub.offer(now.says(FLOW, 1));
    const { client } = join(site);
    const [hello, snap] = client.look();
    expect([hello?.event, snap?.event]).toEqual(['hello', 'snap']);
    expect(snap?.data).toMatchObject({ i: [0, 1, 2, 3], v: [1, null, null, null], x: [1, 2, 3] });
    expect((snap?.data as StreamSnap).q).toEqual([1, 2, 3].map((tag) => [tag, 2]));
    hub.offer(now.says(FLOW, 2));
    hub.offer(now.says(FLOW, 3));
    hub.offer(now.says(LEVEL, 9));
    await clock.advance(1000);
    expect(deltas(client)).toMatchObject([{ i: [FLOW], v: [3], q: [] }]);
    await clock.advance(1000);
    expect(deltas(client)).toMatchObject([{ i: [], v: [] }]);
  });

  test('the way back to good and fresh is said once, and an older sample is not shown', async () => {
    const { client } = join(site);
    hub.offer(now.says(FLOW, 1));
    await clock.advance(1000);
    expect(deltas(client)).toMatchObject([{ q: [[FLOW, 0]], y: [FLOW] }]);
    hub.offer(now.says(FLOW, 2));
    await clock.advance(1000);
    expect(deltas(client)[0]).toEqual(expect.objectContaining({ q: [], v: [2] }));
    hub.offer(now.says(FLOW, 2, { status: 0x80050000, flags: Flag.made }));
    await clock.advance(1000);
    expect(deltas(client)).toMatchObject([{ q: [[FLOW, 2]], x: [FLOW] }]);
    hub.offer({ ...now.says(FLOW, 7), origin: 'backfill' });
    hub.offer(now.says(FLOW_2, 7, { flags: Flag.late }));
    await clock.advance(1000);
    expect(deltas(client)).toMatchObject([{ i: [] }]);
  });

  test('a value repeated as proof of life is not stale, though it is uncertain', () => {
    now.says(FLOW, 1, { status: 0x40000000, flags: Flag.made | Flag.repeat });
    const snap = join(site).client.look()[1]?.data as StreamSnap;
    expect(snap.q).toContainEqual([FLOW, 1]);
    expect(snap.x).not.toContain(FLOW);
  });

  test('a new catalog: dict, then everything', () => {
    const { client } = join();
    client.look();
    hub.use(plant(2));
    expect(client.look()).toMatchObject([{ event: 'dict', data: { rev: 2 } }, { event: 'snap' }]);
  });
});

describe('alarms', () => {
  const idAfter = (client: Client) => client.look().at(-1)?.id ?? '';

  test('who comes back is told exactly what it missed of its facility', () => {
    const first = join(site);
    hub.offer(raised('e1'));
    const last = idAfter(first.client);
    first.joined.left();
    hub.offer(raised('e2'));
    hub.offer(raised('s1', other));
    hub.offer(raised('e3'));
    expect(join(site, last).client.names()).toEqual(['hello', 'al e2', 'al e3', 'snap']);
    expect(join(other, last).client.names()).toEqual(['hello', 'al s1', 'snap']);
    expect(join(undefined, last).client.names()).toEqual(['hello', 'al e2', 'al s1', 'al e3', 'snap']);
  });

  test('the edges of the ring: the oldest kept is replayed, one further back is not, nor another run’s', () => {
    const boot = idAfter(join().client).split('-')[0] ?? '';
    for (const event of ['e1', 'e2', 'e3', 'e4', 'e5']) hub.offer(raised(event));
    const told = (id: string) => join(undefined, id).client.names().length;
    expect(told(`${boot}-1`)).toBe(6);
    expect(told(`${boot}-0`)).toBe(2);
    expect(told(`${boot}-5`)).toBe(2);
    for (const id of [`${boot}-6`, `${boot}-999999999`, 'other-1', '', '-', `${boot}-x`, `${boot}-1e3`])
      expect(told(id), id).toBe(2);
  });

  test('an id given with a value lies after every alarm that was sent before it', async () => {
    const { client } = join(site);
    hub.offer(raised('e1'));
    hub.offer(raised('s1', other));
    await clock.advance(1000);
    expect(join(site, idAfter(client)).client.names()).toEqual(['hello', 'snap']);
  });
});

describe('slow clients', () => {
  test('the first write that says no stops the rest until it drains', async () => {
    const slow = new Client();
    slow.room = 1;
    const { joined } = join(site, undefined, slow);
    expect(slow.names()).toEqual(['hello']);
    hub.offer(raised('e1'));
    await clock.advance(3000);
    expect(slow.text).toBe('');
    slow.room = Infinity;
    joined.drained();
    expect(slow.names()).toEqual(['al e1', 'snap']);
  });

  test('what it missed comes merged: the newest of each tag, every alarm, and who is well again', async () => {
    const fast = join(site);
    const { client, joined } = join(site);
    hub.offer(now.says(FLOW, 1, { status: 0x80050000 }));
    await clock.advance(1000);
    client.room = 1;
    await clock.advance(1000);
    client.look();
    for (let i = 1; i <= 20; i++) {
      hub.offer(now.says(FLOW, i));
      await clock.advance(1000);
    }
    hub.offer(raised('e1'));
    hub.offer(raised('s1', other));
    hub.offer(raised('e2'));
    expect(client.text).toBe('');
    expect(status.value('penstock_sse_coalesced_frames_total')).toBe(20);
    expect(deltas(fast.client)).toHaveLength(22);
    client.room = Infinity;
    joined.drained();
    const [first, second, delta, ...more] = client.look();
    expect([first?.event, second?.event, delta?.event, more.length]).toEqual(['al', 'al', 'd', 0]);
    expect(delta?.data).toMatchObject({ i: [FLOW], v: [20], q: [[FLOW, 0]] });
  });

  test('so far behind that alarms are lost from the ring, it gets everything instead', () => {
    const { client, joined } = join(site);
    client.look();
    client.room = 1;
    hub.offer(raised('e0'));
    for (let i = 1; i <= 6; i++) hub.offer(raised(`e${i}`));
    expect(client.names()).toEqual(['al e0']);
    client.room = Infinity;
    joined.drained();
    expect(client.names()).toEqual(['snap']);
  });

  test('it may block again in the middle of a replay, and loses and doubles nothing', () => {
    const { client, joined } = join(site);
    client.look();
    client.room = 1;
    for (let i = 1; i <= 4; i++) hub.offer(raised(`e${i}`));
    const told = client.names();
    for (let i = 0; i < 4; i++) {
      client.room = 1;
      joined.drained();
      told.push(...client.names());
    }
    expect(told.filter((name) => name.startsWith('al'))).toEqual(['al e1', 'al e2', 'al e3', 'al e4']);
  });

  test('after half a minute it is sent away, once', async () => {
    const { client } = join(site);
    client.look();
    client.room = 1;
    await clock.advance(40_000);
    expect(client.look().filter(({ event }) => event === 'bye')).toMatchObject([{ data: { why: 'slow' } }]);
    expect(client.ended).toBe(true);
    expect(status.value('penstock_sse_clients')).toBe(0);
  });
});

test('64 streams and no more; who leaves makes room; a closed hub says goodbye', () => {
  const all = Array.from({ length: 64 }, () => join());
  expect(hub.full).toBe(true);
  all[0]?.joined.left();
  all[0]?.joined.left();
  expect(hub.full).toBe(false);
  hub.close();
  expect(hub.full).toBe(true);
  expect(all[1]?.client.look().at(-1)).toMatchObject({ event: 'bye', data: { why: 'shutdown' } });
});

test('the ring numbers without a gap and forgets the oldest', () => {
  const ring = new AlarmRing(3);
  expect([ring.reaches(0), ring.reaches(1), ring.get(1)]).toEqual([true, false, undefined]);
  for (const text of ['a', 'b', 'c', 'd']) ring.push('north', text);
  expect([1, 2, 3, 4, 5].map((seq) => ring.get(seq)?.text)).toEqual([undefined, 'b', 'c', 'd', undefined]);
  expect([0, 1, 4, 5].map((seq) => ring.reaches(seq))).toEqual([false, true, true, false]);
});

describe('over real sockets', () => {
  const open = (port: number, path: string, lastId?: string) =>
    new Promise<{ response: IncomingMessage; text(): string; end: Promise<void>; leave(): void }>((resolve, reject) => {
      const headers = lastId ? { 'last-event-id': lastId } : {};
      const sent = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        const end = new Promise<void>((done) => response.on('close', done).on('error', () => done()));
        resolve({ response, text: () => text, end, leave: () => sent.destroy() });
      });
      sent.on('error', reject);
      sent.end();
    });

  test('snapshot, values, alarms, resuming, goodbye', async () => {
    const it = await bed();
    const path = `/api/v1/stream?facility=${encodeURIComponent(site)}&hz=4`;
    const stream = await open(it.port, path);
    expect(stream.response.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' });
    expect(stream.response.headers['cache-control']).toBe('no-store');
    it.web.offer(it.now.says(FLOW, 41.5));
    await expect.poll(stream.text).toContain('41.5');
    it.web.offer(raised('e1'));
    await expect.poll(stream.text).toContain('event: al');
    const last = eventsOf(stream.text()).at(-1)?.id;
    stream.leave();
    await stream.end;
    it.web.offer(raised('e2'));
    const again = await open(it.port, path, last);
    await expect.poll(again.text).toContain('event: snap');
    expect(eventsOf(again.text()).map(({ event }) => event)).toEqual(['hello', 'al', 'snap']);
    await expect.poll(() => it.status.value('penstock_sse_clients')).toBe(1);
    await it.close();
    await again.end;
    expect(eventsOf(again.text()).at(-1)).toMatchObject({ event: 'bye', data: { why: 'shutdown' } });
  });

  test('a page that reads nothing holds a bounded buffer, and gets the newest when it reads again', async () => {
    const it = await bed();
    const stream = await open(it.port, `/api/v1/stream?facility=${encodeURIComponent(site)}&hz=4`);
    await expect.poll(stream.text).toContain('event: snap');
    stream.response.pause();
    const big = 'x'.repeat(4_000_000);
    for (let i = 0; i < 5; i++) {
      it.web.offer(it.now.says(3, `${big}${i}`));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(it.status.value('penstock_sse_coalesced_frames_total')).toBeGreaterThan(0);
    stream.response.resume();
    await expect.poll(() => stream.text().includes('xx4"')).toBe(true);
    // Of the five values of 4 MB not all were held for it.
    expect(stream.text().length).toBeLessThan(5 * big.length);
    stream.leave();
    await it.close();
  });
});
