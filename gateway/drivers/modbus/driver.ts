// The Modbus TCP protocol: one connection, blocks polled on their grids, one bad block or unit never ends the others.
// The registry names it, the supervisor calls run; readings, proofs of life and answers to requests go to the link.
import { sleep } from '../every.ts';
import { Status } from '../../model.ts';
import type { DeviceRequest, Driver, Link, Point, Protocol, RequestResult } from '../../driver.ts';
import type { Reading } from '../../model.ts';
import { ModbusClient } from './client.ts';
import type { Answer } from './frame.ts';
import { parts, plan } from './plan.ts';
import type { Block } from './plan.ts';
import { decoderOf } from './registers.ts';
import type { Decoder } from './registers.ts';
import { Requests } from './requests.ts';
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
      free: 0,
      signal,
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
      if (clock.mono() - reported >= reportEvery) {
        reported = clock.mono();
        link.report({ ...client.stats, overruns: this.#schedule.overruns, slowest_ms: Math.round(session.slowest) });
        session.slowest = 0;
      }
    }
  }

  async #ask(session: Session, block: Block): Promise<void> {
    const { link, units } = session;
    const { timeout } = this.#connection;
    const began = link.clock.mono();
    let answer = await this.#request(session, block, timeout);
    let resting = failed(answer) && units.missed(block.unitId, link.clock.mono());
    // A unit that is known to be silent gets one try; another request would make the healthy ones wait twice as long.
    if (failed(answer) && units.worthRepeating(block.unitId)) {
      answer = await this.#request(session, block, timeout);
      resting = failed(answer) && units.missed(block.unitId, link.clock.mono());
    }
    const now = link.clock.mono();
    session.slowest = Math.max(session.slowest, now - began);
    this.#schedule.asked(block, now, units.restedUntil(block.unitId));
    if (answer === 'timeout' || 'invalid' in answer) {
      // The other blocks of a unit at rest are not asked either.
      const places = resting ? this.#places.filter((place) => place.unitId === block.unitId) : block.places;
      this.#fail(session, places, answer === 'timeout' ? Status.badTimeout : Status.badCommunication);
      if (units.allSilent())
        throw new Error(answer === 'timeout' ? `no answer within ${timeout} ms` : `wrong answers: ${answer.invalid}`);
      return;
    }
    if ('exception' in answer && (answer.exception === 0x0a || answer.exception === 0x0b)) {
      this.#online(session);
      units.absent(block.unitId, now);
      const places = this.#places.filter((place) => place.unitId === block.unitId);
      return this.#fail(session, places, Status.badNoCommunication);
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
    session.link.emit(readings);
    // After the values: proof said before them would hold for the old ones.
    session.link.alive(
      readings.filter(({ status }) => status === Status.good).map(({ tag }) => tag),
      session.link.clock.micros(),
    );
  }

  #refused(session: Session, block: Block, exception: number, now: number): void {
    if (exception === 2 || exception === 3) {
      if (this.#schedule.refuse(block, now)) this.#fail(session, block.places, Status.badNodeIdUnknown);
      return;
    }
    if (exception === 5 || exception === 6) {
      const tries = session.busy.get(block) ?? 0;
      const wait = busyWaits[tries];
      session.busy.set(block, tries + 1);
      if (wait !== undefined) return this.#schedule.again(block, now, wait);
    }
    this.#fail(session, block.places, statusOf[exception] ?? Status.badDeviceFailure);
  }

  /** Says it once per tag: a tag that is bad already for the same reason is left alone. */
  #fail(session: Session, places: readonly Place[], status: number): void {
    const readings: Reading[] = [];
    for (const { tag } of places) {
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
    if (request.kind !== 'read') {
      return request.reply({
        ok: false,
        reason: 'unsupported',
        message: `Modbus devices here serve no ${request.kind} requests`,
      });
    }
    try {
      request.reply(await this.#readNow(session, request));
    } catch (error) {
      request.reply({ ok: false, reason: 'offline', message: 'the link was lost' });
      throw error;
    }
  }

  /** Reads tags once, apart from the grids; a refused block is cut as in polling, so that one wrong register spoils no other. */
  async #readNow(session: Session, request: { tags: number[]; deadline: number }): Promise<RequestResult> {
    const { clock } = session.link;
    const wanted = new Set(request.tags);
    const blocks = plan(
      this.#places.filter((place) => wanted.has(place.tag)),
      this.#connection,
    );
    const readings: Reading[] = [];
    for (let block = blocks.shift(); block; block = blocks.shift()) {
      const left = request.deadline - clock.mono();
      if (left <= 0)
        return { ok: false, reason: 'expired', message: 'its time was over before the device had answered' };
      const answer = await this.#request(session, block, Math.min(left, this.#connection.timeout));
      if (answer !== 'timeout' && 'words' in answer) {
        readings.push(...this.#decode(block, answer.words));
        continue;
      }
      if (answer !== 'timeout' && 'exception' in answer && (answer.exception === 2 || answer.exception === 3)) {
        const smaller = parts(block);
        if (smaller.length > 1) {
          blocks.unshift(...smaller);
          continue;
        }
      }
      const status = statusOfAnswer(answer);
      readings.push(...block.places.map(({ tag }) => ({ tag, value: null, status })));
    }
    if (readings.length > 0 && readings.every((reading) => reading.status === Status.badTimeout))
      return { ok: false, reason: 'failed', message: 'the device did not answer' };
    return { ok: true, readings };
  }

  /** Asks once, not before the device's pause is over. */
  async #request(session: Session, block: Block, timeout: number): Promise<Answer | 'timeout'> {
    const { client, link, signal } = session;
    const rest = session.free - link.clock.mono();
    if (rest > 0) await sleep(link.clock, rest, signal);
    const answer = await client.read(block.unitId, block.table, block.from, block.count, timeout);
    session.free = link.clock.mono() + this.#connection.pause;
    return answer;
  }
}

function statusOfAnswer(answer: Exclude<Answer, { words: Uint16Array }> | 'timeout'): number {
  if (answer === 'timeout') return Status.badTimeout;
  return 'exception' in answer ? (statusOf[answer.exception] ?? Status.badDeviceFailure) : Status.badCommunication;
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
  /** Monotonic ms before which the device is not asked again (`pause`). */
  free: number;
  signal: AbortSignal;
}

const failed = (answer: Answer | 'timeout') => answer === 'timeout' || 'invalid' in answer;
