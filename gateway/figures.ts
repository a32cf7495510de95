// How the journal and its consumers do, in words for /health and in figures for /metrics. Pure but for the Status it
// fills; called by daemon with what the writer has said last.
import type { Status } from './status.ts';
import type { Backlog } from './web/wire.ts';
import type { WriterStats } from './writer.ts';

const weakly =
  'durability is os: what is acknowledged is written but not synced, and a power cut may lose the last half minute';

export function reportJournal(status: Status, stats: WriterStats | undefined): void {
  if (!stats) return;
  const { account, accounts, journal, disk, durability, garbled, historian } = stats;
  const weak = durability === 'os' ? weakly : '';
  // Without figures: they change with each drop, and each change would be a line in the log.
  const dropped = account.lost
    ? 'some samples never reached the history: penstock ledger says how many and of when'
    : '';
  const history = historian.broken ? historian.trouble : historian.lastError || historian.trouble;
  const reason = [journal.trouble, history && `history: ${history}`].filter(Boolean).join('; ');
  status.set(
    'journal',
    historian.broken ? 'failed' : reason ? 'degraded' : 'ok',
    reason || [dropped, weak].filter(Boolean).join('; '),
  );
  const full = [disk.reason, disk.trouble].filter(Boolean).join('; ');
  status.set('disk', disk.step === 'stop' ? 'failed' : full ? 'degraded' : 'ok', full);
  status.gauge('penstock_disk_free_bytes', disk.free, {}, 'Bytes free where the data lies');
  status.gauge('penstock_disk_size_bytes', disk.total, {}, 'Bytes in all where the data lies');
  status.gauge('penstock_journal_bytes', journal.bytes, {}, 'Bytes of segment files');
  status.gauge('penstock_journal_waiting_bytes', journal.waiting, {}, 'Bytes of frames not acknowledged yet');
  status.counter('penstock_journal_failures_total', journal.failures, {}, 'Writes and syncs that failed');
  status.counter('penstock_journal_damaged_total', journal.damaged, {}, 'Places where frames could not be read back');
  status.counter('penstock_journal_garbled_bytes_total', garbled, {}, 'Bytes that were no frames');
  status.gauge('penstock_history_bytes', historian.bytes, {}, 'Bytes of history.db in use');
  status.gauge('penstock_history_open_samples', historian.open, {}, 'Samples in memory until their chunk is written');
  status.gauge('penstock_history_memory_bytes', historian.memory, {}, 'Memory of those samples');
  status.gauge('penstock_history_commit_ms', historian.commitMs, {}, 'How long the last transaction took');
  status.counter('penstock_history_commits_total', historian.commits, {}, 'Transactions');
  status.counter('penstock_history_chunks_removed_total', historian.removed, {}, 'Chunks removed by retention');
  status.counter('penstock_history_damaged_total', historian.damaged, {}, 'Chunks set aside as unreadable');
  for (const [consumer, books] of Object.entries(accounts)) {
    const { journalled, delivered, filtered, deadLettered, dropped, droppedEvents = 0, backlog } = books;
    const to = { consumer };
    status.counter('penstock_journal_journalled_total', journalled, to, 'Samples owed to a consumer in all');
    status.counter('penstock_journal_delivered_total', delivered, to, 'Samples a consumer has stored');
    status.counter('penstock_journal_filtered_total', filtered, to, 'Samples left out on purpose');
    status.counter(
      'penstock_journal_dead_lettered_total',
      deadLettered,
      to,
      'Samples refused for good, and kept aside',
    );
    status.counter('penstock_journal_dropped_total', dropped, to, 'Samples lost for a consumer');
    status.counter('penstock_journal_dropped_events_total', droppedEvents, to, 'Events lost for a consumer');
    status.gauge('penstock_journal_backlog_samples', backlog.samples, to, 'Samples a consumer is still owed');
    status.gauge('penstock_journal_backlog_bytes', backlog.bytes, to, 'Bytes of frames a consumer is still owed');
  }
}

/** What is still owed to each consumer, and what it lost. */
export function backlogs(stats: WriterStats | undefined): Backlog[] {
  return Object.entries(stats?.accounts ?? {}).map(([name, { backlog, dropped, lost }]) => {
    const { samples, bytes } = backlog;
    const iso = (t: number): string => new Date(Math.floor(t / 1000)).toISOString();
    return { name, samples, bytes, dropped, ...(lost && { lost: { from: iso(lost.from), to: iso(lost.to) } }) };
  });
}
