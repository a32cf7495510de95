// From batches to retained topics: keeps the newest of each topic until its turn comes, and publishes in slices that
// never hold main up. Fed by mqtt.ts through offer and use; hands messages to the broker's `publish`.
import type { Catalog } from '../catalog.ts';
import { Flag } from '../model.ts';
import type { Alarm, Batch, GatewayEvent, Present, Sample } from '../model.ts';
import type { Status } from '../status.ts';
import type { Message } from './broker.ts';
import { alarmPayload, eventPayload, isNormal, metaPayload, samplePayload, statePayload } from './payload.ts';
import type { Topics } from './topics.ts';

export interface PublisherOptions {
  status: Status;
  /** Of values; states, alarms and events are always 1. */
  qos: 0 | 1;
  present: Present;
  send(message: Message, done: (error?: Error | null) => void): void;
}

/** Longest slice of main's time, ms; the check comes after each message. */
const slice = 4;
/** Messages handed to the broker and not yet delivered; a subscriber that stalls it stalls us here, not in memory. */
const maxInFlight = 500;
/** Events wait in order, not by topic; beyond this many the oldest is shed. */
const maxEvents = 2_000;

export class Publisher {
  readonly #o: PublisherOptions;
  #catalog: Catalog;
  #topics: Topics;
  /** The newest unpublished sample of each tag. */
  readonly #values = new Map<number, Sample>();
  /** The newest unpublished retained message of each other topic; '' clears. */
  readonly #retained = new Map<string, string>();
  readonly #events: Message[] = [];
  /** Topics on which the broker holds a retained message of ours. */
  readonly #held = new Set<string>();
  /** Retained topics on their way in the broker: of two messages to one, the second must be the one that stays. */
  readonly #busy = new Set<string>();
  #inFlight = 0;
  #scheduled = false;
  #closed = false;

  constructor(catalog: Catalog, topics: Topics, options: PublisherOptions) {
    this.#catalog = catalog;
    this.#topics = topics;
    this.#o = options;
  }

  /** Takes what is live in; returns at once. A sample not yet published gives way to its successor, and that is counted. */
  offer(batch: Batch): void {
    if (this.#closed || batch.origin !== 'live') return;
    let merged = 0;
    for (const sample of batch.samples) {
      if (sample.flags & Flag.late) continue;
      if (this.#values.has(sample.tag)) merged++;
      this.#values.set(sample.tag, sample);
    }
    if (merged > 0)
      this.#o.status.count(
        'penstock_mqtt_merged_total',
        merged,
        {},
        'Samples replaced by newer ones before their turn',
      );
    for (const event of batch.events) this.#take(event);
    this.#schedule();
  }

  /** Publishes everything that is retained: descriptions, values, states, alarms. */
  publishPresent(): void {
    for (const site of this.#catalog.sites)
      for (const asset of site.assets) this.#retained.set(this.#topics.meta(asset.path), metaPayload(asset));
    for (const tag of this.#catalog.list) {
      const sample = this.#o.present.latest(tag.index);
      if (sample) this.#values.set(tag.index, sample);
    }
    for (const [asset, state] of this.#o.present.states())
      if (this.#catalog.asset(asset)) this.#retained.set(this.#topics.state(asset), statePayload(state));
    for (const alarm of this.#o.present.alarms()) this.#alarm(alarm);
    this.#schedule();
  }

  /** Takes a new configuration: clears the topics that no longer belong to it and publishes the rest anew. */
  use(catalog: Catalog, topics: Topics): void {
    this.#catalog = catalog;
    this.#topics = topics;
    for (const index of this.#values.keys()) if (!catalog.tags[index]) this.#values.delete(index);
    const belongs = this.#wanted();
    for (const topic of this.#retained.keys()) if (!belongs.has(topic)) this.#retained.delete(topic);
    for (const topic of this.#held) if (!belongs.has(topic)) this.#retained.set(topic, '');
    this.publishPresent();
  }

  /** Nothing is published any more. */
  close(): void {
    this.#closed = true;
    this.#values.clear();
    this.#retained.clear();
    this.#events.length = 0;
  }

  /** Topics waiting for their turn. */
  waiting(): number {
    return this.#values.size + this.#retained.size + this.#events.length;
  }

  #take(event: GatewayEvent): void {
    if (event.kind === 'alarm') this.#alarm(event.alarm);
    if (event.kind === 'state') this.#retained.set(this.#topics.state(event.asset), statePayload(event.state));
    const payload = eventPayload(event);
    for (const topic of this.#places(event)) {
      if (this.#events.length >= maxEvents) {
        this.#events.shift();
        this.#o.status.count('penstock_mqtt_shed_total', 1, {}, 'Events dropped because too many waited');
      }
      this.#events.push({ topic, payload, qos: 1, retain: false });
    }
  }

  #alarm(alarm: Alarm): void {
    const topic = this.#topics.alarm(alarm);
    if (!isNormal(alarm)) this.#retained.set(topic, alarmPayload(alarm));
    else this.#retained.set(topic, '');
  }

  /** Where an event is told: below its asset, or below this gateway in each site that the device has tags in. */
  #places(event: GatewayEvent): Iterable<string> {
    const asset =
      event.kind === 'state'
        ? event.asset
        : event.kind === 'alarm'
          ? event.alarm.asset
          : event.kind === 'clock'
            ? this.#assetOf(event.tag)
            : undefined;
    if (asset !== undefined) return [this.#topics.event(asset)];
    if (event.kind === 'alarm') return [this.#topics.gatewayEvent(event.alarm.site)];
    const device = 'device' in event && event.device !== undefined ? this.#catalog.device(event.device) : undefined;
    const sites = device ? device.tags.map((tag) => tag.site) : this.#catalog.sites.map((site) => site.id);
    return new Set(sites.map((site) => this.#topics.gatewayEvent(site)));
  }

  #assetOf(tag: string | undefined): string | undefined {
    return tag === undefined ? undefined : this.#catalog.byId(tag)?.asset;
  }

  /** Every retained topic that the present configuration and the present alarms may have. */
  #wanted(): Set<string> {
    const wanted = new Set<string>();
    for (const site of this.#catalog.sites) {
      for (const asset of site.assets) {
        wanted.add(this.#topics.meta(asset.path)).add(this.#topics.state(asset.path));
        for (const tag of asset.tags) wanted.add(this.#topics.data(tag.asset, tag.metric));
      }
    }
    for (const alarm of this.#o.present.alarms()) wanted.add(this.#topics.alarm(alarm));
    return wanted;
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed || this.waiting() === 0 || this.#inFlight >= maxInFlight) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const end = performance.now() + slice;
      let more = true;
      while (!this.#closed && this.#inFlight < maxInFlight && (more = this.#next()) && performance.now() < end);
      // What waits for its own predecessor alone goes on when that is done.
      if (more) this.#schedule();
    });
  }

  /** Publishes one message: retained states and alarms first, then events, then values. False when none may go now. */
  #next(): boolean {
    for (const [topic, payload] of this.#retained) {
      if (this.#busy.has(topic)) continue;
      this.#retained.delete(topic);
      if (payload === '') this.#held.delete(topic);
      else this.#held.add(topic);
      this.#send({ topic, payload, qos: 1, retain: true });
      return true;
    }
    const event = this.#events.shift();
    if (event) {
      this.#send(event);
      return true;
    }
    for (const [index, sample] of this.#values) {
      const tag = this.#catalog.tags[index];
      const topic = tag ? this.#topics.data(tag.asset, tag.metric) : '';
      if (this.#busy.has(topic)) continue;
      this.#values.delete(index);
      if (!tag) return true;
      this.#held.add(topic);
      this.#send({ topic, payload: samplePayload(tag, sample), qos: this.#o.qos, retain: true });
      return true;
    }
    return false;
  }

  #send(message: Message): void {
    this.#inFlight++;
    if (message.retain) this.#busy.add(message.topic);
    this.#o.send(message, (error) => {
      this.#inFlight--;
      if (message.retain) this.#busy.delete(message.topic);
      if (error && !this.#closed) this.#o.status.count('penstock_mqtt_publish_errors_total');
      else this.#o.status.count('penstock_mqtt_published_total');
      this.#schedule();
    });
  }
}
