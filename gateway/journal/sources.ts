// The sources' accounts as the journal carries them: what each said last of itself, and beside it the samples that the
// journal counted. Two counts of one thing, so that a loss between them is seen. Kept by the tail, found anew by recovery.
import type { SourceCounts } from '../model.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readCounts, writeCounts } from './head.ts';
import type { FrameMeta } from './head.ts';

export interface SourceAccount {
  /** As the source's last frame told it. */
  told: SourceCounts;
  /** Samples of its frames, counted by the journal; the same as `told.journalled` as long as nothing is amiss. */
  counted: number;
}

export class Sources {
  readonly #accounts = new Map<string, SourceAccount>();

  constructor(accounts: Iterable<[string, SourceAccount]> = []) {
    for (const [source, account] of accounts) this.#accounts.set(source, { ...account });
  }

  /** Frames without an account, as older versions wrote them, are no part of it. */
  add({ source, counts, samples }: Pick<FrameMeta, 'source' | 'counts' | 'samples'>): void {
    if (!counts) return;
    const account = this.#accounts.get(source);
    if (account) {
      account.told = counts;
      account.counted += samples;
    } else this.#accounts.set(source, { told: counts, counted: samples });
  }
  copy(): Sources {
    return new Sources(this.#accounts);
  }
  all(): Map<string, SourceAccount> {
    return new Map([...this.#accounts].map(([source, { told, counted }]) => [source, { told: { ...told }, counted }]));
  }
}

/** Nothing for no sources. */
export function encodeSources(sources: Sources): Uint8Array {
  const accounts = sources.all();
  const out = new ByteWriter(256);
  if (accounts.size === 0) return out.take();
  out.reserve(8);
  out.varint(accounts.size);
  for (const [source, { told, counted }] of accounts) {
    out.text(source);
    out.reserve(8);
    out.varint(counted);
    writeCounts(out, told);
  }
  return out.take();
}

/** Throws when the bytes are not whole. */
export function decodeSources(bytes: Uint8Array): Sources {
  if (bytes.length === 0) return new Sources();
  const from = new ByteReader(bytes, 0, bytes.length);
  const accounts: [string, SourceAccount][] = [];
  for (let left = from.varint(); left > 0; left--) {
    const source = from.text();
    const counted = from.varint();
    accounts.push([source, { counted, told: readCounts(from) }]);
  }
  return new Sources(accounts);
}
