// Finds a free TCP port for the demo: the wanted one or the next free above it. Called by demo.
import { createServer } from 'node:net';

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** The wanted port, or the next free one above it; 0 stays 0 (the system chooses). Throws when 200 in a row are busy. */
export async function freePortFrom(host: string, wanted: number): Promise<number> {
  if (wanted === 0) return 0;
  for (let port = wanted; port < Math.min(wanted + 200, 65_536); port++) {
    if (await canListen(host, port)) return port;
  }
  throw new Error(`no free port from ${wanted} on at ${host}`);
}
