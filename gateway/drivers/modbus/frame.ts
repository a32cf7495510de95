// Modbus TCP on the wire: requests to bytes, bytes to replies. Pure and bounded; used by the client.
// A reply is only taken apart here; whether it answers what was asked is the client's question.
import type { Table } from './schema.ts';

/** Largest frame: 7 bytes of header and a PDU of 253 (Modbus TCP implementation guide V1.0b, §4.1). */
const largestLength = 254;

const functionOf: Record<Table, number> = { co: 1, di: 2, hr: 3, ir: 4 };

export interface Reply {
  tid: number;
  unitId: number;
  code: number;
  /** The PDU after its function code. */
  body: Uint8Array;
}

export function readRequest(tid: number, unitId: number, table: Table, from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tid);
  view.setUint16(4, 6);
  bytes[6] = unitId;
  bytes[7] = functionOf[table];
  view.setUint16(8, from);
  view.setUint16(10, count);
  return bytes;
}

/** Cuts a byte stream into replies. After `push` returned undefined the stream cannot be trusted any more. */
export class ReplyParser {
  #rest: Uint8Array = new Uint8Array(0);

  /** @returns the replies that are complete now, or undefined when this is not Modbus TCP. */
  push(part: Uint8Array): Reply[] | undefined {
    // A plain view: slice of a Buffer would share the socket's memory instead of copying.
    const plain = new Uint8Array(part.buffer, part.byteOffset, part.length);
    const bytes = this.#rest.length === 0 ? plain : joined(this.#rest, plain);
    const replies: Reply[] = [];
    let at = 0;
    while (bytes.length - at >= 6) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
      const length = view.getUint16(4);
      if (view.getUint16(2) !== 0 || length < 2 || length > largestLength) return undefined;
      if (bytes.length - at < 6 + length) break;
      replies.push({
        tid: view.getUint16(0),
        unitId: view.getUint8(6),
        code: view.getUint8(7),
        body: bytes.slice(at + 8, at + 6 + length),
      });
      at += 6 + length;
    }
    this.#rest = bytes.slice(at);
    return replies;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

/** What a reply to a read says: words (bits as words of 0 and 1), an exception, or why it is no answer to this request. */
export type Answer = { words: Uint16Array } | { exception: number } | { invalid: string };

export function answerTo(asked: { unitId: number; table: Table; count: number }, reply: Reply): Answer {
  const code = functionOf[asked.table];
  if (reply.unitId !== asked.unitId) return { invalid: `unit ${reply.unitId} answered for unit ${asked.unitId}` };
  if (reply.code === (code | 0x80)) {
    return reply.body.length === 1
      ? { exception: reply.body[0] ?? 0 }
      : { invalid: `an exception of ${reply.body.length} bytes` };
  }
  if (reply.code !== code) return { invalid: `function ${reply.code} answered for function ${code}` };
  const bits = code <= 2;
  const bytes = bits ? Math.ceil(asked.count / 8) : asked.count * 2;
  if (reply.body.length !== bytes + 1 || reply.body[0] !== bytes) {
    return { invalid: `${reply.body.length - 1} bytes (said ${reply.body[0] ?? 0}) where ${bytes} were asked for` };
  }
  const words = new Uint16Array(asked.count);
  for (let i = 0; i < asked.count; i++) {
    words[i] = bits
      ? ((reply.body[1 + (i >> 3)] ?? 0) >> (i & 7)) & 1
      : ((reply.body[1 + i * 2] ?? 0) << 8) | (reply.body[2 + i * 2] ?? 0);
  }
  return { words };
}
