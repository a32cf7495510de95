// A site as devices see it: its plant behind a Modbus or an OPC UA server, whichever the site speaks, and the values
// as that server gives them out. Called by the live loop and by the history writer.
import { createServer } from 'node:net';
import type { Plant, PlantSite, SignalValue } from './plant.ts';
import type { PortChoice } from './arguments.ts';
import { registerMap } from './modbus/map.ts';
import { serveModbus } from './modbus/server.ts';
import { serveOpcua } from './opcua/server.ts';

export interface SiteServer {
  readonly port: number;
  /** The plant's values are now those of this time (ms since the epoch). */
  update(atMs: number): void;
  close(): Promise<void>;
}

/** Listens; rejects with one sentence when a port that was asked for is taken. */
export async function serveSite(plant: Plant, host: string, choice: PortChoice): Promise<SiteServer> {
  const port = await freePort(plant.site.id, host, choice);
  const { site } = plant;
  return site.protocol === 'modbus'
    ? await serveModbus(plant, registerMap(site), { host, port })
    : await serveOpcua(plant, { host, port });
}

/**
 * What a client of the site gets to see of the value at this place of `plant.values()`: OPC UA keeps it, registers
 * round it; null where they say that there is none.
 */
export function servedBy(site: PlantSite): (flatIndex: number, value: SignalValue | null) => SignalValue | null {
  if (site.protocol === 'opcua') return (_index, value) => value;
  const map = registerMap(site);
  return (index, value) => map.served(index, value);
}

async function freePort(siteId: string, host: string, { port, strict }: PortChoice): Promise<number> {
  for (let candidate = port; candidate < port + 200; candidate++) {
    const found = await listens(host, candidate);
    if (found) return found;
    if (strict) throw new Error(`${siteId}: port ${port} on ${host} is taken`);
  }
  throw new Error(`${siteId}: no free port from ${port} on ${host}`);
}

/** Tries a port (0 = any) and lets it go again; 0 when it is taken. */
function listens(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(0);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
