// Why a QuestDB did not start, or a Maven did not fetch it, in one sentence with what to do. Pure; called by server.ts and
// jar.ts with what the program printed: stack traces, which no person at a plant wants to read.

const known: readonly [RegExp, (found: RegExpMatchArray) => string][] = [
  [
    /could not bind socket.*?bindTo=([^\]\s]+)/,
    ([, at]) => `another program listens on ${at} already, maybe another QuestDB: end it, or choose another port`,
  ],
  [
    /cannot lock table name registry.*?path=([^\]]+?)(\/db)?\]/,
    ([, root]) => `another QuestDB is at work in ${root}: end it, or choose another folder`,
  ],
  [
    /java: spawn java ENOENT/,
    () => 'the program "java" is missing: install Java 17 or newer (openjdk-17-jre-headless)',
  ],
  [
    /Unsupported major\.minor version|UnsupportedClassVersionError|Unrecognized option: -p\b/,
    () => 'the Java found first in the PATH is too old: install Java 17 or newer (openjdk-17-jre-headless)',
  ],
  [
    /No space left on device|errno=28\b|\[28\]/,
    () => 'the disk is full: make room where its folder lies, and start it again',
  ],
  [
    /Could not reserve enough space|insufficient memory|OutOfMemoryError/,
    () => 'there is not enough free memory for its heap: end other programs, or give it less',
  ],
  [/Permission denied|errno=13\b|\[13\]/, () => 'it may not write in its folder: correct the rights of the folder'],
];

/** @param said what it printed; @param logs the folder in which it keeps its own log */
export function startFault(said: string, logs: string): string {
  for (const [pattern, words] of known) {
    const found = said.match(pattern);
    if (found) return `QuestDB did not start: ${words(found)}`;
  }
  const lines = said.split('\n').map((line) => line.trim());
  const [first] = lines.filter((line) => /exception|error/i.test(line) && !line.startsWith('at '));
  return `QuestDB did not start: ${(first ?? lines.findLast(Boolean) ?? 'it said nothing').slice(0, 300)}; its log is in ${logs}`;
}

/** @param said what Maven printed */
export function fetchFault(version: string, said: string): string {
  const [first = said.trim().slice(-300)] = said.split('\n').filter((line) => line.startsWith('[ERROR]'));
  const words = first.replace(/^\[ERROR\]\s*/, '').replace(/\s*-> \[Help \d+\]$/, '');
  return `Maven could not fetch QuestDB ${version}: ${words.slice(0, 500) || 'it said nothing'}`;
}
