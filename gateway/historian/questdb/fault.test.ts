// What of the words of a server, or of Maven, is said to people. Tables of cases.
import { expect, test } from 'vitest';
import { fetchFault, startFault } from './fault.ts';

const trace = '\tat io.questdb@9.3.4/io.questdb.std.ThreadLocal.get(ThreadLocal.java:46)\n';
test.each<[string, string, string]>([
  [
    'port taken',
    `io.questdb.network.NetworkError: [98] could not bind socket [who=pg-server, bindTo=127.0.0.1:8812]\n${trace}`,
    'another program listens on 127.0.0.1:8812 already, maybe another QuestDB: end it, or choose another port',
  ],
  [
    'folder taken',
    `io.questdb.cairo.CairoException: [0] cannot lock table name registry file [path=/srv/q/root/db]\n${trace}`,
    'another QuestDB is at work in /srv/q/root: end it, or choose another folder',
  ],
  [
    'no Java',
    'java: spawn java ENOENT',
    'the program "java" is missing: install Java 17 or newer (openjdk-17-jre-headless)',
  ],
  [
    'Java 11',
    'Error occurred during initialization of boot layer\nCaused by: Unsupported major.minor version 61.0',
    'the Java found first in the PATH is too old: install Java 17 or newer (openjdk-17-jre-headless)',
  ],
  [
    'Java 8',
    'Unrecognized option: -p\nError: Could not create the Java Virtual Machine.',
    'the Java found first in the PATH is too old: install Java 17 or newer (openjdk-17-jre-headless)',
  ],
  [
    'disk full',
    `java.io.IOException: No space left on device\n${trace}`,
    'the disk is full: make room where its folder lies, and start it again',
  ],
  [
    'anything else',
    `Reading log configuration\nio.questdb.Bootstrap$BootstrapException: strange\n${trace}`,
    'io.questdb.Bootstrap$BootstrapException: strange; its log is in /logs',
  ],
  ['silence', '', 'it said nothing; its log is in /logs'],
])('%s', (_name, said, words) => expect(startFault(said, '/logs')).toBe(`QuestDB did not start: ${words}`));

test('of what Maven prints the first error is said', () => {
  const said =
    '[WARNING] w\n[ERROR] Could not transfer org.questdb: Unknown host repo.maven.apache.org -> [Help 1]\n[ERROR] \n[ERROR] To see the full stack trace\n';
  expect(fetchFault('9.3.4', said)).toBe(
    'Maven could not fetch QuestDB 9.3.4: Could not transfer org.questdb: Unknown host repo.maven.apache.org',
  );
  expect(fetchFault('9.3.4', 'no such artifact\n')).toMatch(/: no such artifact$/);
});
