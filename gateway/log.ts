// The log: pino, one line an event, to stderr. Under systemd each line carries its priority (`<4>`), so that
// `journalctl -p warning` works; on a terminal it is for people; elsewhere it is JSON. Made by main, handed down.
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Logger } from 'pino';

/** syslog priorities by pino level. */
const priorities: Record<number, number> = { 60: 2, 50: 3, 40: 4, 30: 6, 20: 7 };
const names: Record<number, string> = { 60: 'FATAL', 50: 'ERROR', 40: 'WARN ', 30: 'info ', 20: 'debug' };

export type LogForm = 'people' | 'journal' | 'json';

export function logForm(env: NodeJS.ProcessEnv, terminal: boolean): LogForm {
  return env.JOURNAL_STREAM ? 'journal' : terminal ? 'people' : 'json';
}

/** @param write where finished lines go; stderr unless told. */
export function createLog(
  level: string,
  form: LogForm,
  write: (line: string) => void = (line) => process.stderr.write(line),
): Logger {
  const out = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      write(shaped(String(chunk), form));
      done();
    },
  });
  return pino({ level, base: undefined }, out);
}

function shaped(line: string, form: LogForm): string {
  if (form === 'json') return line;
  const { level, time, msg } = JSON.parse(line) as { level: number; time: number; msg: string };
  if (form === 'journal') return `<${priorities[level] ?? 6}>${line}`;
  return `${new Date(time).toISOString().slice(11, 23)} ${names[level] ?? level} ${msg}\n`;
}
