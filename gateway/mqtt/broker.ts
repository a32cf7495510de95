// The embedded broker: aedes behind a TCP listener, with the bounds it does not have by itself. Made by mqtt.ts, which
// publishes through `publish` past any authorization; clients from outside read everything and write outside the
// gateway's own namespace only, except commands.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { Aedes } from 'aedes';
import type { Client } from 'aedes';
import type { Status } from '../status.ts';
import { unbound } from '../words.ts';
import { limitPackets } from './limit.ts';
import { followRetained } from './retained.ts';
import { segment } from './topics.ts';

export interface BrokerSettings {
  host: string;
  /** 0: any free port. */
  port: number;
  /** First level of the topics that only the gateway publishes to. */
  prefix: string;
  /** Allows an address beyond loopback, although nobody is asked who they are. */
  insecure: boolean;
}

export interface Message {
  topic: string;
  payload: string;
  qos: 0 | 1;
  retain: boolean;
}

/** What aedes' types leave out. */
type Inner = Client & { subscriptions: Record<string, unknown>; duplicates: object };

/** Largest packet a client may send, bytes. */
export const maxPacket = 256 * 1024;
const maxClients = 500;
/** Retained topics that clients from outside may leave in memory. */
const maxForeignRetained = 10_000;
/** A subscriber that takes nothing for this long is disconnected, ms. */
const drainTimeout = 5_000;
/** Where ignored commands go: a system topic that is never forwarded. */
const ignored = '$ignored/';

export class Broker {
  readonly #settings: BrokerSettings;
  readonly #status: Status;
  readonly #sockets = new Set<Socket>();
  readonly #own = new WeakSet<Client>();
  readonly #foreignRetained = new Set<string>();
  readonly #told = new Set<string>();
  /** Counters of the messages given to a client lately. */
  readonly #given = new WeakMap<Client, Set<number>>();
  #aedes: Aedes | undefined;
  #server: Server | undefined;
  /** User and password of the gateway's own sessions, new at each start. */
  readonly credentials = { username: 'gateway', password: randomBytes(24).toString('base64url') };

  constructor(settings: BrokerSettings, status: Status) {
    this.#settings = settings;
    this.#status = status;
  }

  /**
   * Binds and accepts clients; resolves with the port.
   * @throws with code EADDRINUSE when the port is busy (listening again is allowed), EINSECURE for an address beyond loopback
   */
  async listen(port = this.#settings.port): Promise<{ port: number }> {
    const { host, insecure } = this.#settings;
    if (!isLoopback(host) && !insecure) {
      const message = `the MQTT broker asks nobody who they are, so it does not bind to ${host}: use 127.0.0.1, or set mqtt.insecure`;
      throw Object.assign(new Error(message), { code: 'EINSECURE' });
    }
    const aedes = await this.#createAedes();
    const server = createServer({ highWaterMark: 1 << 20, noDelay: true }, (socket) => this.#accept(socket, aedes));
    server.maxConnections = maxClients;
    server.on('drop', () => this.#status.count('penstock_mqtt_refused_total', 1, { reason: 'clients' }));
    try {
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    } catch (error) {
      await closed(aedes);
      throw unbound(error, host, port, 'mqtt', '--mqtt-port');
    }
    server.on('error', (error) =>
      this.#status.report('error', 'penstock_mqtt_errors_total', `MQTT listener: ${error.message}`),
    );
    this.#aedes = aedes;
    this.#server = server;
    const address = server.address();
    return { port: address && typeof address === 'object' ? address.port : port };
  }

  /** Hands a message to the broker; `done` is called when it is stored and given to all subscribers, or has failed. */
  publish(message: Message, done: (error?: Error | null) => void): void {
    if (!this.#aedes) return done(new Error('the broker is not running'));
    this.#aedes.publish({ cmd: 'publish', dup: false, ...message }, done);
  }

  clients(): number {
    return this.#aedes?.connectedClients ?? 0;
  }

  /** Ends every connection and frees the port. */
  async close(): Promise<void> {
    const aedes = this.#aedes;
    const server = this.#server;
    this.#aedes = undefined;
    this.#server = undefined;
    const freed = server && new Promise<void>((resolve) => server.close(() => resolve()));
    if (aedes) await closed(aedes);
    for (const socket of this.#sockets) socket.destroy();
    await freed;
  }

  #accept(socket: Socket, aedes: Aedes): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    limitPackets(socket, maxPacket, () => {
      this.#status.report(
        'warn',
        'penstock_mqtt_refused_total',
        `an MQTT client sent a packet over ${maxPacket} bytes and was disconnected`,
        { reason: 'size' },
      );
    });
    const client = aedes.handle(socket) as Inner;
    // aedes takes a message for a repetition when one that was published after it has overtaken it (retained messages
    // and higher qualities of service take longer ways) and drops it. Its memory is switched off; `again` below is ours.
    Object.defineProperty(client.duplicates, aedes.id, { get: () => 0, set: () => {} });
  }

  /** Whether a client with several subscriptions has been given this message through another of them. */
  #again(client: Inner, counter: number): boolean {
    if (Object.keys(client.subscriptions).length < 2) return false;
    let given = this.#given.get(client);
    if (!given) this.#given.set(client, (given = new Set()));
    if (given.has(counter)) return true;
    given.add(counter);
    if (given.size > 4096) for (const oldest of given) if (given.delete(oldest)) break;
    return false;
  }

  async #createAedes(): Promise<Aedes> {
    const count = (reason: string) => this.#status.count('penstock_mqtt_refused_total', 1, { reason });
    const aedes = await Aedes.createBroker({
      drainTimeout,
      connectTimeout: 10_000,
      preConnect: (_client, packet, done) => {
        // A kept session would queue without bound while its client is away: none is kept.
        packet.clean = true;
        done(null, true);
      },
      authenticate: (client, user, password, done) => {
        if (user === this.credentials.username && password?.toString() === this.credentials.password)
          this.#own.add(client);
        done(null, true);
      },
      authorizePublish: (client, packet, done) => {
        if (!client || this.#own.has(client)) return done(null);
        const levels = packet.topic.split('/');
        const refuse = (reason: string, words: string) => {
          count(reason);
          this.#tell(client, words);
          done(new Error(words));
        };
        if (packet.topic.startsWith('$')) return refuse('system', 'system topics are reserved');
        if (levels[0] === segment(this.#settings.prefix)) {
          if (!levels.includes('_cmd'))
            return refuse('namespace', `topics below ${this.#settings.prefix}/ belong to the gateway`);
          if (packet.retain) {
            // A command that waits in the broker for whoever comes is a danger: it goes nowhere.
            count('retained_command');
            packet.retain = false;
            packet.topic = ignored + packet.topic;
          }
        } else if (packet.retain) {
          if (packet.payload.length === 0) this.#foreignRetained.delete(packet.topic);
          else if (this.#foreignRetained.size < maxForeignRetained) this.#foreignRetained.add(packet.topic);
          else if (!this.#foreignRetained.has(packet.topic)) return refuse('retained', 'too many retained topics');
        }
        done(null);
      },
      authorizeForward: (client, packet) => {
        if (packet.topic.startsWith('$')) {
          // Wildcards in front do not match system topics [MQTT-4.7.2-1].
          const filters = Object.keys((client as Inner).subscriptions);
          if (packet.topic.startsWith(ignored) || !filters.some((filter) => filter.startsWith('$'))) return null;
        }
        // Only the repetition of retained messages to a new subscriber says `retain`; it waits for that subscriber alone.
        // What has replaced one of them since may have been dropped below, so it goes in its place.
        if (packet.retain) {
          const newest = standing(packet.topic);
          if (newest === undefined) return null;
          packet.payload = newest;
        }
        if (this.#again(client as Inner, packet.brokerCounter)) return null;
        if (packet.qos === 0 && !packet.retain && client.conn.writableNeedDrain) {
          // Waiting for this one would hold up the delivery to everybody.
          this.#status.count(
            'penstock_mqtt_dropped_total',
            1,
            {},
            'Messages not given to a subscriber that does not keep up',
          );
          return null;
        }
        return packet;
      },
    });
    const standing = followRetained(aedes);
    aedes.on('clientError', () => this.#status.count('penstock_mqtt_client_errors_total'));
    aedes.on('connectionError', () => this.#status.count('penstock_mqtt_client_errors_total'));
    (aedes as NodeJS.EventEmitter).on('error', (error: Error) =>
      this.#status.report('error', 'penstock_mqtt_errors_total', `MQTT broker: ${error.message}`),
    );
    return aedes;
  }

  /** Says once per client id what it did wrong; it may come back and do it again for ever. */
  #tell(client: Client, words: string): void {
    if (this.#told.has(client.id) || this.#told.size > 1000) return;
    this.#told.add(client.id);
    this.#status.log.warn({ client: client.id }, `MQTT client ${client.id} was disconnected: ${words}`);
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host);
}

function closed(aedes: Aedes): Promise<void> {
  return new Promise((resolve) => aedes.close(() => resolve()));
}
