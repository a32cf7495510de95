// Whether this gateway is there, as a retained topic below each of its sites: a small session of our own to the broker
// holds the will, so that the topic turns false also when nobody could say goodbye. Made by mqtt.ts, one per site.
import { randomUUID } from 'node:crypto';
import mqtt from 'mqtt';
import type { MqttClient } from 'mqtt';
import type { Status } from '../status.ts';

export interface PresenceOptions {
  host: string;
  port: number;
  credentials: { username: string; password: string };
  topic: string;
  /** ISO 8601: since when this gateway runs. */
  since: string;
  version: string;
  status: Status;
}

export class Presence {
  readonly #topic: string;
  readonly #client: MqttClient;

  constructor({ host, port, credentials, topic, since, version, status }: PresenceOptions) {
    this.#topic = topic;
    this.#client = mqtt.connect({
      host,
      port,
      protocol: 'mqtt',
      protocolVersion: 4,
      ...credentials,
      // Nobody can guess the id and so push this session out.
      clientId: `gateway-${randomUUID()}`,
      clean: true,
      keepalive: 20,
      reconnectPeriod: 1_000,
      reconnectOnConnackError: true,
      queueQoSZero: false,
      will: {
        topic,
        payload: Buffer.from(JSON.stringify({ online: false, reason: 'connection_lost' })),
        qos: 1,
        retain: true,
      },
    });
    this.#client.on('error', (error) => {
      status.count('penstock_mqtt_session_errors_total');
      status.log.debug({}, `the gateway's own MQTT session: ${error.message}`);
    });
    this.#client.on('connect', () => this.#publish({ online: true, since, version }));
  }

  /** Says goodbye and ends the session; after `ms` without an answer it ends all the same. */
  async close(ms: number): Promise<void> {
    if (this.#client.connected) {
      await Promise.race([
        new Promise<void>((resolve) => this.#publish({ online: false, reason: 'shutdown' }, resolve)),
        new Promise<void>((resolve) => setTimeout(resolve, ms).unref()),
      ]);
    }
    // Not forced while connected: a connection that ends without DISCONNECT would raise the will.
    await Promise.race([
      new Promise<void>((resolve) => this.#client.end(false, {}, () => resolve())),
      new Promise<void>((resolve) => setTimeout(resolve, ms).unref()),
    ]);
    this.#client.end(true);
  }

  #publish(content: object, done: () => void = () => {}): void {
    this.#client.publish(this.#topic, JSON.stringify(content), { qos: 1, retain: true }, () => done());
  }
}
