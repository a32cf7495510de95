// The MQTT room: embedded broker, publisher and presence under one name. Made by the daemon; fed with live batches by
// `offer`, which never blocks.
import type { Catalog } from '../catalog.ts';
import type { Batch, Clock, Live, Present } from '../model.ts';
import type { Status } from '../status.ts';
import { Broker } from './broker.ts';
import { Presence } from './presence.ts';
import { Publisher } from './publisher.ts';
import { Topics } from './topics.ts';

export interface MqttOptions {
  catalog: Catalog;
  clock: Clock;
  status: Status;
  present: Present;
  version: string;
  settings: { host: string; port: number; prefix: string; gatewayId: string; insecure: boolean; qos: 0 | 1 };
}

export interface Mqtt extends Live {
  /**
   * Binds the broker and publishes the present; resolves with the port. `port` replaces the one of the settings.
   * @throws with code EADDRINUSE when the port is busy (may be called again), EINSECURE for an address beyond loopback
   */
  listen(port?: number): Promise<{ port: number }>;
  use(catalog: Catalog): void;
  /** Says goodbye and ends within 3 s. */
  close(): Promise<void>;
}

const closeWithin = 3_000;

export function createMqtt({ catalog, clock, status, present, version, settings }: MqttOptions): Mqtt {
  const since = new Date(clock.now()).toISOString();
  const broker = new Broker(settings, status);
  const topicsOf = (of: Catalog) => new Topics(settings.prefix, of.enterprise, settings.gatewayId);
  let topics = topicsOf(catalog);
  const publisher = new Publisher(catalog, topics, {
    status,
    qos: settings.qos,
    present,
    send: (message, done) => broker.publish(message, done),
  });
  /** By topic. */
  const presences = new Map<string, Presence>();
  let port: number | undefined;
  let ended: Promise<void> | undefined;
  status.collect(() => {
    status.gauge('penstock_mqtt_clients', Math.max(0, broker.clients() - presences.size), {}, 'Connected MQTT clients');
    status.gauge('penstock_mqtt_waiting', publisher.waiting(), {}, 'Messages waiting for their turn');
  });

  /** One session for each site: a session has one will. */
  function showPresence(of: Catalog): void {
    if (port === undefined || ended) return;
    const wanted = new Set(of.sites.map((site) => topics.gatewayStatus(site.id)));
    for (const [topic, presence] of presences) {
      if (wanted.has(topic)) continue;
      presences.delete(topic);
      // The site is no longer ours: its topic goes with it.
      void presence.close(500).then(() => broker.publish({ topic, payload: '', qos: 1, retain: true }, () => {}));
    }
    const host = settings.host === '0.0.0.0' ? '127.0.0.1' : settings.host === '::' ? '::1' : settings.host;
    for (const topic of wanted) {
      if (presences.has(topic)) continue;
      presences.set(
        topic,
        new Presence({ host, port, credentials: broker.credentials, topic, since, version, status }),
      );
    }
  }

  return {
    async listen(asked) {
      ({ port } = await broker.listen(asked));
      status.set('mqtt', 'ok');
      if (settings.insecure)
        status.log.warn({}, 'the MQTT broker is open to the network and asks nobody who they are (mqtt.insecure)');
      publisher.publishPresent();
      showPresence(catalog);
      return { port };
    },
    offer: (batch: Batch) => publisher.offer(batch),
    use(next) {
      catalog = next;
      topics = topicsOf(next);
      publisher.use(next, topics);
      showPresence(next);
    },
    close() {
      ended ??= (async () => {
        publisher.close();
        const all = (async () => {
          await Promise.all([...presences.values()].map((presence) => presence.close(800)));
          await broker.close();
        })();
        await Promise.race([all, new Promise<void>((resolve) => setTimeout(resolve, closeWithin).unref())]);
        status.set('mqtt', 'stopped');
      })();
      return ended;
    },
  };
}
