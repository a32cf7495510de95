// What a server that cannot be reached is called in front of people: in /health, in the log and in the alarm.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../clock.ts';
import { createClient, loadLibrary, openSession } from './client.ts';
import { withDefaults } from './schema.ts';

test('a server that does not run is said in one line, with what to look at', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const library = await loadLibrary(() => {});
  const endpoint = `opc.tcp://127.0.0.1:${port}`;
  const connection = withDefaults({ endpoint });
  const client = await createClient(library, connection, () => Promise.resolve(undefined));
  const hint = 'is the server running, and are its address and security right?';
  server.close();
  await once(server, 'close');
  await expect(openSession(library, client, connection, systemClock, new AbortController().signal)).rejects.toThrow(
    `no connection to ${endpoint}: connect ECONNREFUSED 127.0.0.1:${port}; ${hint}`,
  );
  await client.disconnect();
});
