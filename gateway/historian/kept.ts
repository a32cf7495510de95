// What a forwarder remembers of its store over the gateway's own restarts, in a small file of the data folder.
// Called by the forwarders of questdb/ and postgres/, to notice that a server was restarted, set back or replaced meanwhile.
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './file/place.ts';

/** The object's members; empty where nothing readable is remembered: as good as a first start. */
export async function recall(path: string): Promise<Record<string, unknown>> {
  try {
    return Object(JSON.parse(await readFile(path, 'utf8'))) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Replaces the file as a whole; durable when it resolves. */
export async function remember(path: string, what: object): Promise<void> {
  await using file = await open(`${path}.tmp`, 'w', 0o640);
  await file.writeFile(JSON.stringify(what));
  await file.datasync();
  await rename(`${path}.tmp`, path);
  await syncFolder(dirname(path));
}
