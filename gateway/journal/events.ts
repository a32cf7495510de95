// The events of the journal's newest frames, for whoever kept a snapshot and needs what came after it. Called by the
// writer at a start, before anything is appended.
import type { GatewayEvent } from '../model.ts';
import { decodeFrame } from './frame.ts';
import type { Log } from './log.ts';

const READ = 4 * 1024 * 1024;
/** A consumer for the length of one call; it leaves no account behind. */
const READER = 'events';

/**
 * Events of all kept frames from sequence `from` on, in order. A frame that cannot be decoded is passed over: its loss is
 * counted by those who are owed it. `trouble`: why the rest could not be read, empty when it could.
 */
export function eventsSince(log: Log, from: number): { events: GatewayEvent[]; trouble: string } {
  const events: GatewayEvent[] = [];
  log.add(READER, from);
  try {
    for (let found = log.read(READER, READ); found.length > 0; found = log.read(READER, READ)) {
      for (const { bytes } of found) {
        const result = decodeFrame(bytes);
        if (result.ok) events.push(...result.frame.events);
      }
      log.deliver(
        READER,
        found.map(({ meta }) => meta),
      );
    }
    return { events, trouble: '' };
  } catch (error) {
    return { events, trouble: error instanceof Error ? error.message : String(error) };
  } finally {
    log.remove(READER);
  }
}
