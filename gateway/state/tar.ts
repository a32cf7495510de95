// The few bytes of a tar archive: headers of plain files, in and out (POSIX ustar, sizes past 8 GB in base 256).
// Pure; used by backup.ts and restore.ts. Any tar program reads what is written here.

export const BLOCK = 512;

/** A file's header. Throws when the name does not fit: data folders hold no such names. */
export function tarHeader(name: string, size: number, mtime: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const bytes = Buffer.from(name);
  if (bytes.length > 100) throw new Error(`${name} is too long a name for the archive (100 bytes at most)`);
  bytes.copy(header);
  const octal = (value: number, at: number, length: number): void =>
    void header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (size < 8 ** 11) octal(size, 124, 12);
  else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  octal(Math.floor(mtime / 1000), 136, 12);
  header.write('        0', 148, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** Zeros up to the next block. */
export const tarPadding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
export const tarEnd = (): Buffer => Buffer.alloc(2 * BLOCK);

/** A header's name and size; undefined for the zeros at the end. Throws a sentence when it is neither. */
export function readHeader(header: Buffer): { name: string; size: number } | undefined {
  if (header.every((byte) => byte === 0)) return undefined;
  const sum = parseInt(header.toString('latin1', 148, 156), 8);
  let found = 0;
  for (let i = 0; i < BLOCK; i++) found += i >= 148 && i < 156 ? 0x20 : (header[i] as number);
  if (sum !== found) throw new Error('it is no backup, or it is damaged: a header in it has a wrong sum');
  if (header.toString('latin1', 156, 157) !== '0') throw new Error('it is no backup: it holds more than plain files');
  const end = header.indexOf(0);
  const name = header.toString('utf8', 0, end < 0 || end > 100 ? 100 : end);
  const large = (header[124] as number) & 0x80;
  const size = large ? Number(header.readBigUInt64BE(128)) : parseInt(header.toString('latin1', 124, 136), 8);
  return { name, size };
}
