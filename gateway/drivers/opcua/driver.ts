// The OPC UA protocol: one session to one server, a subscription per interval, values as they change.
// The registry names it, the supervisor calls run; readings, proofs of life and the library's own reconnections go to the link.
import type { Driver, Link, Point, Protocol } from '../../driver.ts';
import { loadLibrary } from './client.ts';
import type { Watch } from './feed.ts';
import { parseNode } from './namespaces.ts';
import { Run } from './run.ts';
import { addressSchema, check, connectionSchema, withDefaults } from './schema.ts';
import type { Connection, OpcuaPoint } from './schema.ts';
import { Aborted } from './within.ts';

export const opcua: Protocol = {
  name: 'opcua',
  connection: connectionSchema,
  address: addressSchema,
  valueType: () => 'double',
  check,
  create: (_device, connection, points) => new OpcuaDriver(withDefaults(connection), points),
};

class OpcuaDriver implements Driver {
  readonly #connection: Connection;
  readonly #watches = new Map<number, Watch>();

  constructor(connection: Connection, points: readonly Point[]) {
    this.#connection = connection;
    for (const point of points) {
      const parsed = parseNode(String(point.address['node']));
      // `check` has refused such a config; should one come all the same, the tag has an address no server knows.
      const address = typeof parsed === 'string' ? { uri: 'urn:invalid', id: 's=invalid' } : parsed;
      this.#watches.set(point.tag, { point: point as OpcuaPoint, address });
    }
  }

  async run(link: Link, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const library = await loadLibrary((message) => link.log('debug', message));
    for (const watch of this.#watches.values()) {
      watch.item = undefined;
      watch.refused = undefined;
    }
    const run = new Run(library, this.#connection, this.#watches, link, signal);
    try {
      await run.live();
    } catch (error) {
      if (!(signal.aborted && error instanceof Aborted)) throw error;
    } finally {
      await run.close();
    }
  }
}
