// An import's bytes cut into lines, with the number of each and where it ends, so that a report can name them and an
// import can go on where it stopped. Pure; used by import.ts. Memory: one part and one line, whatever is sent.
import { isUtf8 } from 'node:buffer';

/** Bytes of a line; a text value of this size is no reading of a plant. */
export const longestLine = 65_536;

export interface Line {
  /** Of the line in the file, from 1 on; of the first one where quotes span several. */
  number: number;
  /** Without its line feed; undefined where it is too long. */
  text: string | undefined;
  /** Bytes of it are no UTF-8. */
  broken?: boolean;
  /** Bytes from the start of what is sent to behind its line break. */
  end: number;
}

const newline = 10;

export class LineCutter {
  #rest: Uint8Array[] = [];
  #held = 0;
  #skipping = false;
  #number: number;
  #end = 0;

  /** @param before lines of the file that are not sent */
  constructor(before = 0) {
    this.#number = before;
  }

  /** The lines that this part completes. */
  *push(part: Uint8Array): Generator<Line> {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.length);
    let from = 0;
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, from)) {
      const piece = bytes.subarray(from, at);
      from = at + 1;
      this.#end += piece.length + 1;
      yield this.#line(piece);
    }
    const rest = bytes.subarray(from);
    this.#end += rest.length;
    if (rest.length === 0 || this.#skipping) return;
    this.#held += rest.length;
    this.#skipping = this.#held > longestLine;
    if (this.#skipping) this.#rest = [];
    // A copy, so that a small rest does not hold a large part.
    else this.#rest.push(Buffer.from(rest));
  }

  /** What stands behind the last line break, if anything does. */
  end(): Line | undefined {
    return this.#held > 0 ? this.#line(Buffer.alloc(0)) : undefined;
  }

  #line(piece: Buffer): Line {
    this.#number++;
    const tooLong = this.#skipping || this.#held + piece.length > longestLine;
    const whole = this.#rest.length > 0 ? Buffer.concat([...this.#rest, piece]) : piece;
    const text = tooLong ? undefined : whole.toString('utf8');
    // What stands for a broken byte may also have been written as such.
    const broken = text?.includes('\uFFFD') === true && !isUtf8(whole);
    this.#rest = [];
    this.#held = 0;
    this.#skipping = false;
    return { number: this.#number, text, end: this.#end, ...(broken ? { broken } : {}) };
  }
}

const longestRecord = 64;

/** Joins lines where a quoted cell holds line breaks. A quote that is never closed costs its own line and no more. */
export class QuoteJoiner {
  #open: Line[] = [];

  *take(line: Line): Generator<Line> {
    // Nearly every line: no quote at all, and none open.
    if (this.#open.length === 0 && !line.text?.includes('"')) return yield line;
    this.#open.push(line);
    const [first] = this.#open;
    if (line.text === undefined || first === undefined) return yield* this.#giveUp();
    const text = this.#open.map((each) => each.text).join('\n');
    if (quotes(text) % 2 === 0) {
      const broken = this.#open.some((each) => each.broken);
      this.#open = [];
      return yield { number: first.number, text, end: line.end, ...(broken ? { broken } : {}) };
    }
    if (this.#open.length > longestRecord || text.length > longestLine) yield* this.#giveUp();
  }

  /** Lines left open: each as it is. */
  *end(): Generator<Line> {
    while (this.#open.length > 0) yield* this.#giveUp();
  }

  get open(): boolean {
    return this.#open.length > 0;
  }

  *#giveUp(): Generator<Line> {
    const [first, ...others] = this.#open;
    this.#open = [];
    if (first) yield first;
    for (const other of others) yield* this.take(other);
  }
}

function quotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) count++;
  return count;
}
