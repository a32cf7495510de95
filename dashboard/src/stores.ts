// What of the gateway itself is in trouble, from /health: stores elsewhere, the journal and its history, the disk, and what
// a store lost not long ago. Pure; called by Stores.svelte, which shows a line for each. Devices are not among them (the floor
// shows those), nor is the page's own address.
import type { WireHealth } from '../../gateway/web/wire.ts';
import { count, tellTimes } from './format.ts';

export interface Trouble {
  /** Of the gateway's part; stays the same while the words change. */
  part: string;
  name: string;
  /** What is wrong and what to do. */
  words: string;
  /** What it costs so far; empty when nothing. */
  cost: string;
}

const names: Record<string, string> = {
  'forward.file': 'Files',
  'forward.postgres': 'PostgreSQL',
  'forward.questdb': 'QuestDB',
  journal: 'Journal',
  disk: 'Disk',
  state: 'Alarm states',
  config: 'Configuration',
};
const forwarded = 'forward.';
/** ms for which samples that never reached a store are spoken of behind the last of them. */
const spokenOf = 7 * 86_400_000;
/** The journal's own consumer. */
const historian = 'historian';

/** @param now ms since the epoch; times in the words are told in `zone`. */
export function troubles(health: WireHealth, zone: string | undefined, now: number): Trouble[] {
  const wrong = health.components
    .filter(({ name, state }) => (state === 'degraded' || state === 'failed') && !/^device\/|^web$/.test(name))
    .map(({ name: part, state, reason }) => {
      const owed =
        part === 'journal' ? historian : part.startsWith(forwarded) ? part.slice(forwarded.length) : undefined;
      const { samples = 0, dropped = 0 } = health.consumers.find(({ name }) => name === owed) ?? {};
      return {
        part,
        name: names[part] ?? part,
        words: tellTimes(reason || state, zone, now),
        cost: [samples > 0 && `${count(samples, 'sample')} waiting`, dropped > 0 && `${count(dropped, 'sample')} lost`]
          .filter(Boolean)
          .join(', '),
      };
    });
  const said = new Set(wrong.map(({ part }) => part));
  return [...wrong, ...losses(health, zone, now).filter(({ part }) => !said.has(part))];
}

/** A store that is well again lacks for good what was lost meanwhile. */
function losses({ consumers }: WireHealth, zone: string | undefined, now: number): Trouble[] {
  return consumers.flatMap(({ name: consumer, dropped, lost }) => {
    if (!lost || now - Date.parse(lost.to) > spokenOf) return [];
    const part = consumer === historian ? 'journal' : forwarded + consumer;
    const words = tellTimes(`not every sample up to ${lost.to} reached it: penstock ledger has the account`, zone, now);
    const name = consumer === historian ? 'History' : (names[part] ?? consumer);
    return [{ part, name, words, cost: `${count(dropped, 'sample')} lost` }];
  });
}
