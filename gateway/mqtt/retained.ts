// Which retained message of a topic is the newest. aedes reads a newcomer's retained messages ahead and hands them out
// one by one; a message published meanwhile overtakes them, and the newcomer would be left with what was before it.
// Made by broker.ts for its aedes, which asks before each repetition of a retained message what stands there by now.
import type { Aedes } from 'aedes';

interface Retained {
  topic: string;
  payload: string | Buffer;
  retain: boolean;
}
/** What aedes' types leave out. */
interface Store {
  storeRetained(packet: Retained): Promise<void>;
}

/** @returns what stands on a topic now; undefined where nothing does */
export function followRetained(aedes: Aedes): (topic: string) => string | Buffer | undefined {
  const standing = new Map<string, string | Buffer>();
  const { persistence: store } = aedes as unknown as { persistence: Store };
  const storeRetained = store.storeRetained.bind(store);
  store.storeRetained = (packet) => {
    if (packet.payload.length > 0) standing.set(packet.topic, packet.payload);
    else standing.delete(packet.topic);
    return storeRetained(packet);
  };
  return (topic) => standing.get(topic);
}
