// The Modbus TCP protocol: one connection, blocks polled on their grids, one bad block or unit never ends the others.
// The registry names it, the supervisor calls run; readings, proofs of life and answers to requests go to the link.
import { Status } from '../../model.ts';
import type { DeviceRequest, Driver, Link, Point, Protocol, Reading } from '../../model.ts';
import { ModbusClient } from './client.ts';
import type { Answer } from './frame.ts';
import { plan } from './plan.ts';
import type { Block } from './plan.ts';
import { decoderOf } from './registers.ts';
import type { Decoder } from './registers.ts';
import { Schedule } from './schedule.ts';
import { addressSchema, check, connectionOf, connectionSchema, placeOf, valueType } from './schema.ts';
import type { Connection, Place } from './schema.ts';
import { Units } from './units.ts';
import { Wake } from './wake.ts';

export const modbus: Protocol = {
  name: 'modbus',
  connection: connectionSchema,
  address: addressSchema,
  valueType,
  check,
  create: (_device, connection, points) => new ModbusDriver(connectionOf(connection), points),
};

const reportEvery = 5000;
/** Exceptions 5 and 6 (acknowledge, busy): asked again after these waits, ms, then on the grid. */
const busyWaits = [100, 400, 1600];

/** What a tag becomes for each exception code (application protocol V1.1b3, §7). */
const statusOf: Record<number, number> = {
  1: Status.badNotSupported,
  2: Status.badNodeIdUnknown,
  3: Status.badNodeIdUnknown,
  0x0a: Status.badNoCommunication,
  0x0b: Status.badNoCommunication,
};

class ModbusDriver implements Driver {
  readonly #connection: Connection;
  readonly #places: Place[];
  readonly #decoders = new Map<number, Decoder>();
  readonly #schedule: Schedule;

  constructor(connection: Connection, points: readonly Point[]) {
    this.#connection = connection;
    this.#places = points.map(placeOf).filter((place) => place !== undefined);
    for (const place of this.#places) this.#decoders.set(place.tag, decoderOf(place));
    this.#schedule = new Schedule(this.#places, connection);
  }

  async run(link: Link, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { host, port, connectTimeout } = this.#connection;
    const wake = new Wake(link.clock);
    const requests = new Requests(link, wake);
    const aborted = () => wake.now();
    signal.addEventListener('abort', aborted);
    let client: ModbusClient | undefined;
    const cut = () => client?.close();
    signal.addEventListener('abort', cut);
    try {
      client = await ModbusClient.connect(host, port, connectTimeout, link.clock, signal);
      await this.#poll(client, link, requests, wake, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', aborted);
      signal.removeEventListener('abort', cut);
      client?.close();
      requests.close();
    }
  }

  async #poll(client: ModbusClient, link: Link, requests: Requests, wake: Wake, signal: AbortSignal): Promise<void> {
    const { clock } = link;
    const session: Session = {
      link,
      client,
      units: new Units(new Set(this.#places.map((place) => place.unitId)), Math.random),
      bad: new Map(),
      busy: new Map(),
      online: false,
      slowest: 0,
    };
    let reported = clock.mono();
    this.#schedule.start(clock.mono());
    while (!signal.aborted) {
      const request = requests.take();
      if (request) {
        await this.#serve(session, request);
        continue;
      }
      const next = this.#schedule.next((unitId) => session.units.restsUntil(unitId));
      const now = clock.mono();
      if (!next || next.due > now) {
        await wake.after(next ? next.due - now : reportEvery);
        continue;
      }
      await this.#ask(session, next.block);
      if (this.#connection.pause > 0) await wake.after(this.#connection.pause);
      if (clock.mono() - reported >= reportEvery) {
        reported = clock.mono();
        link.report({ ...client.stats, overruns: this.#schedule.overruns, slowest_ms: Math.round(session.slowest) });
        session.slowest = 0;
      }
    }
  }

  async #ask(session: Session, block: Block): Promise<void> {
    const { client, link, units } = session;
    const { timeout } = this.#connection;
    const ask = () => client.read(block.unitId, block.table, block.from, block.count, timeout);
    const began = link.clock.mono();
    let answer = await ask();
    // A unit that is known to be silent gets one try; another request would make the healthy ones wait twice as long.
    if (failed(answer) && units.restsUntil(block.unitId) === 0) answer = await ask();
    const now = link.clock.mono();
    session.slowest = Math.max(session.slowest, now - began);
    this.#schedule.asked(block, now);
    if (answer === 'timeout' || 'invalid' in answer) {
      units.missed(block.unitId, now);
      this.#fail(session, block, answer === 'timeout' ? Status.badTimeout : Status.badCommunication);
      if (units.allSilent())
        throw new Error(answer === 'timeout' ? `no answer within ${timeout} ms` : `wrong answers: ${answer.invalid}`);
      return;
    }
    if ('exception' in answer && (answer.exception === 0x0a || answer.exception === 0x0b)) {
      this.#online(session);
      units.absent(block.unitId, now);
      const places = this.#places.filter((place) => place.unitId === block.unitId);
      return this.#fail(session, { ...block, places }, Status.badNoCommunication);
    }
    units.answered(block.unitId);
    this.#online(session);
    if ('exception' in answer) return this.#refused(session, block, answer.exception, now);
    session.busy.delete(block);
    this.#take(session, block, answer.words);
    this.#schedule.healed(block, now);
  }

  #take(session: Session, block: Block, words: Uint16Array): void {
    const readings = this.#decode(block, words);
    for (const { tag, status } of readings) {
      if (status === Status.good) session.bad.delete(tag);
      else session.bad.set(tag, status);
    }
    session.link.alive(
      block.places.map((place) => place.tag),
      session.link.clock.micros(),
    );
    session.link.emit(readings);
  }

  #refused(session: Session, block: Block, exception: number, now: number): void {
    if (exception === 2 || exception === 3) {
      if (this.#schedule.refuse(block, now)) this.#fail(session, block, Status.badNodeIdUnknown);
      return;
    }
    if (exception === 5 || exception === 6) {
      const tries = session.busy.get(block) ?? 0;
      const wait = busyWaits[tries];
      session.busy.set(block, tries + 1);
      if (wait !== undefined) return this.#schedule.again(block, now, wait);
    }
    this.#fail(session, block, statusOf[exception] ?? Status.badDeviceFailure);
  }

  /** Says it once per tag: a tag that is bad already for the same reason is left alone. */
  #fail(session: Session, block: Block, status: number): void {
    const readings: Reading[] = [];
    for (const { tag } of block.places) {
      if (session.bad.get(tag) === status) continue;
      session.bad.set(tag, status);
      readings.push({ tag, value: null, status });
    }
    if (readings.length > 0 && session.online) session.link.emit(readings);
  }

  #online(session: Session): void {
    if (session.online) return;
    session.online = true;
    // What was bad before the first answer has not been said yet.
    session.bad.clear();
    session.link.online();
  }

  #decode(block: Block, words: Uint16Array): Reading[] {
    return block.places.map((place) => {
      const decode = this.#decoders.get(place.tag);
      return {
        tag: place.tag,
        ...(decode?.(words, place.address - block.from) ?? { value: null, status: Status.badConfiguration }),
      };
    });
  }

  async #serve(session: Session, request: DeviceRequest): Promise<void> {
    const { client, link } = session;
    if (request.kind !== 'read') {
      return request.reply({
        ok: false,
        reason: 'unsupported',
        message: `Modbus devices here serve no ${request.kind} requests`,
      });
    }
    const readings: Reading[] = [];
    for (const block of plan(
      this.#places.filter((place) => request.tags.includes(place.tag)),
      this.#connection,
    )) {
      const left = request.deadline - link.clock.mono();
      if (left <= 0)
        return request.reply({
          ok: false,
          reason: 'expired',
          message: 'its time was over before the device could be asked',
        });
      const answer = await client.read(
        block.unitId,
        block.table,
        block.from,
        block.count,
        Math.min(left, this.#connection.timeout),
      );
      if (answer === 'timeout')
        return request.reply({ ok: false, reason: 'failed', message: `unit ${block.unitId} did not answer` });
      if ('words' in answer) readings.push(...this.#decode(block, answer.words));
      else {
        const status =
          'exception' in answer ? (statusOf[answer.exception] ?? Status.badDeviceFailure) : Status.badCommunication;
        readings.push(...block.places.map(({ tag }) => ({ tag, value: null, status })));
      }
    }
    request.reply({ ok: true, readings });
  }
}

interface Session {
  link: Link;
  client: ModbusClient;
  units: Units;
  /** Status last said of a tag that is not good. */
  bad: Map<number, number>;
  /** How often in a row a block was answered "busy". */
  busy: Map<Block, number>;
  online: boolean;
  slowest: number;
}

const failed = (answer: Answer | 'timeout') => answer === 'timeout' || 'invalid' in answer;

/** Requests of the link, taken between polls; expired ones are answered so and never reach the device. */
class Requests {
  readonly #iterator: AsyncIterator<DeviceRequest>;
  readonly #clock: Link['clock'];
  readonly #waiting: DeviceRequest[] = [];
  #closed = false;

  constructor(link: Link, wake: Wake) {
    this.#clock = link.clock;
    this.#iterator = link.requests[Symbol.asyncIterator]();
    void this.#read(wake);
  }

  take(): DeviceRequest | undefined {
    for (;;) {
      const request = this.#waiting.shift();
      if (!request || request.deadline > this.#clock.mono()) return request;
      request.reply({ ok: false, reason: 'expired', message: 'its time was over before the device could be asked' });
    }
  }

  close(): void {
    this.#closed = true;
    for (const request of this.#waiting.splice(0))
      request.reply({ ok: false, reason: 'offline', message: 'the link was lost' });
    void this.#iterator.return?.();
  }

  async #read(wake: Wake): Promise<void> {
    for (;;) {
      const next = await this.#iterator.next();
      if (next.done) return;
      if (this.#closed) return next.value.reply({ ok: false, reason: 'offline', message: 'the link was lost' });
      this.#waiting.push(next.value);
      wake.now();
    }
  }
}
