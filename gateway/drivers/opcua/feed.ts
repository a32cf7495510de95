// One subscription on the server and its monitored items: the tags of one interval. Made by the driver for each run;
// hands values, signs of life and refusals to the driver's `Ear`. Survives the library's reconnections by `remap` and `sweep`.
import type { ClientMonitoredItemBase, ClientSession, ClientSubscription, DataValue } from 'node-opcua-client';
import { Status } from '../../model.ts';
import type { Clock } from '../../model.ts';
import type { Library } from './client.ts';
import { pinned, resolveNode } from './namespaces.ts';
import type { NodeAddress } from './namespaces.ts';
import { itemParameters } from './plan.ts';
import type { IntervalClass } from './plan.ts';
import type { Connection, OpcuaPoint } from './schema.ts';
import { within } from './within.ts';

/** A tag on this connection. The address outlives runs: what an index meant first is what it means. */
export interface Watch {
  point: OpcuaPoint;
  address: NodeAddress;
  item?: ClientMonitoredItemBase;
  /** Status code the server refused it with, already told; undefined while it is monitored. */
  refused?: number;
}

export interface Ear {
  value(watch: Watch, data: DataValue): void;
  heard(feed: Feed, news: boolean): void;
  refused(watch: Watch, status: number): void;
  /** The server ended the subscription. */
  gone(reason: string): void;
}

/** How this server wants to be spoken to; learned once, shared by all feeds of a run. */
export interface Manners {
  /** Most items in one request. */
  chunk: number;
}

const TOO_MUCH =
  /BadTooManyOperations|BadEncodingLimitsExceeded|BadRequestTooLarge|BadResponseTooLarge|MessageTooLarge/u;
/** A namespace no server has: the item is refused instead of meaning another node. */
const NOWHERE = 'ns=65535;s=unknown-namespace';

export class Feed {
  readonly watches: Watch[];
  readonly plan: IntervalClass;
  /** When the server last answered, on clock.mono(). */
  lastHeard = 0;
  /** Data messages missing between two that came. */
  gaps = 0;
  readonly #library: Library;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #ear: Ear;
  readonly #manners: Manners;
  #subscription: ClientSubscription | undefined;
  #sequence: number | undefined;
  #arriving: Watch[] = [];
  #alive: number[] | undefined;

  constructor(
    plan: IntervalClass,
    watches: Watch[],
    tools: { library: Library; connection: Connection; clock: Clock; ear: Ear; manners: Manners },
  ) {
    this.plan = plan;
    this.watches = watches;
    this.#library = tools.library;
    this.#connection = tools.connection;
    this.#clock = tools.clock;
    this.#ear = tools.ear;
    this.#manners = tools.manners;
  }

  /** Tags whose values the server watches for us. */
  get alive(): readonly number[] {
    this.#alive ??= this.watches.filter((watch) => watch.item && watch.refused === undefined).map((w) => w.point.tag);
    return this.#alive;
  }
  get refused(): Watch[] {
    return this.watches.filter((watch) => watch.refused !== undefined);
  }
  /** Longest silence of a healthy server, ms, with the values it has granted. */
  get patience(): number {
    const { publishingInterval, maxKeepAliveCount } = this.#subscription ?? {};
    const count = maxKeepAliveCount ?? this.plan.keepAliveCount;
    return 1.5 * count * (publishingInterval ?? this.plan.publishing) + 1_000;
  }

  /** Creates subscription and items. Items that the server refuses are told to the ear; rejects when the call fails. */
  async open(session: ClientSession, namespaces: readonly string[], signal: AbortSignal): Promise<void> {
    const { publishing, keepAliveCount, lifetimeCount } = this.plan;
    const subscription = await within(
      this.#clock,
      this.#connection.requestTimeout,
      'creating a subscription',
      session.createSubscription2({
        requestedPublishingInterval: publishing,
        requestedLifetimeCount: lifetimeCount,
        requestedMaxKeepAliveCount: keepAliveCount,
        maxNotificationsPerPublish: 2_000,
        priority: 10,
        publishingEnabled: true, // the library's default is false: no data and no error
      }),
      signal,
    );
    this.#subscription = subscription;
    this.lastHeard = this.#clock.mono();
    subscription.on('raw_notification', (message) => {
      const news = (message.notificationData?.length ?? 0) > 0;
      if (news) {
        if (this.#sequence !== undefined && message.sequenceNumber > this.#sequence + 1) this.gaps++;
        this.#sequence = message.sequenceNumber;
      }
      this.lastHeard = this.#clock.mono();
      this.#ear.heard(this, news);
    });
    subscription.on('subscriptionId_changed', () => (this.#sequence = undefined));
    subscription.on('terminated', () => this.#ear.gone('the server ended the subscription'));
    // Listening before the create call returns: a value may come in the same packet as its answer.
    subscription.on('item_added', (item) => this.#attach(item));
    await this.create(this.watches, namespaces, signal);
  }

  /** Creates items for these watches, in parts the server accepts, one request at a time. */
  async create(watches: readonly Watch[], namespaces: readonly string[], signal: AbortSignal): Promise<void> {
    const known: { watch: Watch; nodeId: string }[] = [];
    for (const watch of watches) {
      watch.address = pinned(watch.address, namespaces);
      const nodeId = resolveNode(watch.address, namespaces);
      if (nodeId === undefined) this.#refuse(watch, Status.badConfiguration);
      else known.push({ watch, nodeId });
    }
    const alike = Map.groupBy(known, ({ watch }) => {
      const { samplingInterval, queueSize } = itemParameters(watch.point, this.#connection, this.plan.publishing);
      return `${samplingInterval} ${queueSize}`;
    });
    for (const waiting of alike.values()) {
      while (waiting.length > 0) {
        const part = waiting.splice(0, this.#manners.chunk);
        if (!(await this.#createPart(part, signal))) waiting.unshift(...part);
      }
    }
    this.#alive = undefined;
  }

  /** False: the server wants smaller requests; nothing was created. */
  async #createPart(part: { watch: Watch; nodeId: string }[], signal: AbortSignal): Promise<boolean> {
    const subscription = this.#subscription;
    const first = part[0];
    if (!subscription || !first) return true;
    const { AttributeIds, TimestampsToReturn } = this.#library;
    const parameters = itemParameters(first.watch.point, this.#connection, this.plan.publishing);
    this.#arriving = part.map(({ watch }) => watch);
    try {
      await within(
        this.#clock,
        this.#connection.requestTimeout,
        'creating monitored items',
        subscription.monitorItems(
          part.map(({ nodeId }) => ({ nodeId, attributeId: AttributeIds.Value })),
          { ...parameters, discardOldest: true },
          TimestampsToReturn.Both,
        ),
        signal,
      );
    } catch (error) {
      for (const { watch } of part) this.#drop(watch);
      if (this.#manners.chunk <= 10 || !(error instanceof Error && TOO_MUCH.test(error.message))) throw error;
      this.#manners.chunk = Math.max(10, Math.floor(Math.min(this.#manners.chunk, part.length) / 2));
      return false;
    }
    for (const { watch } of part) this.#judge(watch);
    return true;
  }

  /** Before the library re-creates the items on a new session: every item by its URI again. */
  remap(namespaces: readonly string[]): void {
    for (const { address, item } of this.watches) {
      if (item) item.itemToMonitor.nodeId = this.#library.coerceNodeId(resolveNode(address, namespaces) ?? NOWHERE);
    }
  }

  /** After a reconnection: a refused item has only its status code set by the library, no event tells. */
  sweep(namespaces: readonly string[]): void {
    for (const watch of this.watches) {
      if (!watch.item) continue;
      if (resolveNode(watch.address, namespaces) === undefined) this.#refuse(watch, Status.badConfiguration);
      else this.#judge(watch);
    }
    this.#alive = undefined;
  }

  #attach(item: ClientMonitoredItemBase): void {
    const watch = this.#arriving.shift();
    if (!watch) return;
    watch.item = item;
    item.on('changed', (data: DataValue) => {
      if (watch.item === item) this.#ear.value(watch, data);
    });
  }

  #judge(watch: Watch): void {
    const status = (watch.item?.statusCode.value ?? Status.badNodeIdUnknown) >>> 0;
    if (status >>> 30 === 0) watch.refused = undefined;
    else this.#refuse(watch, status);
  }

  #refuse(watch: Watch, status: number): void {
    this.#drop(watch);
    const told = watch.refused === status;
    watch.refused = status;
    if (!told) this.#ear.refused(watch, status);
  }

  /** Forgets an item the server does not have; left in, the library would re-create it beside its successor. */
  #drop(watch: Watch): void {
    const { item } = watch;
    watch.item = undefined;
    const handle = item?.monitoringParameters.clientHandle;
    const subscription: (ClientSubscription & { _removeMonitoredItem?: (handle: number) => void }) | undefined =
      this.#subscription;
    if (handle !== undefined) subscription?._removeMonitoredItem?.(handle);
  }
}
