// What several rooms say to people in the same words: numbers in sentences, and why an address could not be bound.

/** "1 error", "2 errors". @param many when it is not just an s */
export const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** "3 samples and 1 event": what a store has lost; events only when there are any. */
export const lossInWords = (samples: number, events = 0): string =>
  [(samples > 0 || events === 0) && counted(samples, 'sample'), events > 0 && counted(events, 'event')]
    .filter(Boolean)
    .join(' and ');

/**
 * The error of a listener in words, its code kept; one that no setting mends comes back as it is.
 * @param settings the group of its settings in penstock.yaml: `host` and `port` stand in it
 * @param option the argument that names another port
 */
export function unbound(error: unknown, host: string, port: number, settings: string, option: string): unknown {
  const { code } = error as { code?: string };
  const another = `choose another ${settings}.port (${option})`;
  const words: Record<string, string> = {
    EADDRINUSE: `port ${port} of ${host} is in use: ${another}`,
    EACCES: `port ${port} may not be opened by this user: ${another}`,
    EADDRNOTAVAIL: `this machine has no address ${host}: choose another ${settings}.host`,
    ENOTFOUND: `this machine has no address ${host}: choose another ${settings}.host`,
  };
  const said = words[code ?? ''];
  return said === undefined ? error : Object.assign(new Error(said, { cause: error }), { code });
}
