// Ctrl-C in a command that takes long: the first time it stops in order, the second time at once.
// Used by import, export, seed, backup, restore and history.

/** @param words what a person is told at the first one */
export function onInterrupt(words: string): { signal: AbortSignal; stop(): void } {
  const cancel = new AbortController();
  let first = 0;
  const interrupted = (): void => {
    const now = performance.now();
    // The launcher hands on what the terminal has sent already: both mean the same keystroke.
    if (first > 0 && now - first > 500) process.exit(130);
    if (first > 0) return;
    first = now;
    console.error(words);
    cancel.abort(new Error('stopped'));
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  return {
    signal: cancel.signal,
    stop() {
      process.off('SIGINT', interrupted);
      process.off('SIGTERM', interrupted);
    },
  };
}
