// The register map of a Modbus site: which signal stands in which register of which unit, and in what form.
// Pure. The server fills its registers by it, the generator writes the gateway's device file from it, and the
// truth log asks it what a correct client must read (`served`), so that tests compare exactly.
import type { PlantSite, Signal, SignalValue } from '../plant.ts';
import { encode, registersOf } from './encode.ts';
import type { Encoding, Order } from './encode.ts';

export type Table = 'co' | 'di' | 'ir' | 'hr';

/** Where one signal stands. Addresses count from 0, as they travel. */
export interface Register {
  /** Index of the signal in the plant's flat order. */
  signal: number;
  /** Tag id: asset path and metric. */
  tag: string;
  unitId: number;
  table: Table;
  address: number;
  /** Registers (or bits, for co and di) that the value takes. */
  size: number;
  encoding: Encoding;
  order: Order;
  /** For encoding `bit`: 0 is the least significant. */
  bit?: number;
  /** For encoding `string`: registers. */
  length?: number;
  /** value = register × scale; a power of ten such as 0.1. Absent: 1. */
  scale?: number;
  /** The register's content (before scaling) that means "no value". Floats say NaN instead. */
  sentinel?: number;
  /** What the signal is, after scaling. */
  type: Signal['type'];
}

export interface RegisterMap {
  /** entries[i] belongs to flat signal i. */
  entries: readonly Register[];
  /** What a correct client decodes when the signal has this value: quantised, saturated, null where it reads "no value". */
  served(signal: number, value: SignalValue | null): SignalValue | null;
}

/** Registers of the measured values, counters and state words, setpoints and nameplate texts begin at these addresses. */
const measured = 0;
const counters = 100;
const states = 200;
const setpoints = 0;
const texts = 100;

/** Lays a site out: one unit id per asset, in order. Throws when there are more assets than unit ids (247). */
export function registerMap(site: PlantSite): RegisterMap {
  if (site.assets.length > 247)
    throw new Error(`${site.id}: ${site.assets.length} assets, but Modbus has 247 unit ids`);
  const entries: Register[] = [];
  site.assets.forEach((asset, index) => {
    const unit = new Layout(index);
    const doubles = asset.signals.filter((signal) => signal.type === 'double');
    for (const signal of asset.signals) {
      const last = doubles.length > 1 && signal === doubles.at(-1);
      entries.push({
        signal: entries.length,
        tag: `${asset.path}/${signal.metric}`,
        unitId: index + 1,
        ...unit.place(signal, last),
      });
    }
  });
  return {
    entries,
    served(signal, value) {
      const entry = entries[signal];
      if (!entry) throw new RangeError(`${site.id} has no signal ${signal}`);
      return decoded(entry, value);
    },
  };
}

/** The running addresses of one unit. Each unit has its own word order; holes are left as in real maps. */
class Layout {
  readonly #order: Order;
  readonly #bitsInWord: boolean;
  readonly #next: Record<string, number> = { measured, counters, states, setpoints, texts, bits: 0 };
  #placed = 0;
  #statusWord: number | undefined;

  constructor(index: number) {
    this.#order = index % 2 === 0 ? 'ABCD' : 'CDAB';
    this.#bitsInWord = index % 2 === 1;
  }

  place(signal: Signal, asSetpoint: boolean): Omit<Register, 'signal' | 'tag' | 'unitId'> {
    const base = { order: this.#order, type: signal.type } as const;
    if (signal.type === 'text') return { ...base, ...this.#take('texts', 'hr', 16, 4), encoding: 'string', length: 16 };
    if (signal.type === 'boolean') return { ...base, ...this.#bit() };
    if (signal.type === 'integer') {
      if (signal.names) return { ...base, ...this.#take('states', 'ir', 1, 1), encoding: 'uint16', sentinel: 0xffff };
      const low = Math.min(0, signal.instrument?.low ?? 0, signal.range?.low ?? 0);
      if (low < 0) return { ...base, ...this.#take('counters', 'ir', 2, 2), encoding: 'int32', sentinel: -0x80000000 };
      return { ...base, ...this.#take('counters', 'ir', 2, 2), encoding: 'uint32', sentinel: 0xffffffff };
    }
    const [area, table] = asSetpoint ? (['setpoints', 'hr'] as const) : (['measured', 'ir'] as const);
    const scaled = this.#placed % 2 === 1 ? scaledForm(signal) : undefined;
    // Every third measured value is followed by registers the device does not have.
    const hole = this.#placed % 3 === 2 ? 3 : 0;
    this.#placed++;
    if (scaled) return { ...base, ...this.#take(area, table, 1, hole), ...scaled };
    // A totaliser has no range and outgrows the 24 bits of a float32.
    const encoding = signal.range || signal.instrument || signal.limits ? 'float32' : 'float64';
    return { ...base, ...this.#take(area, table, registersOf(encoding), hole), encoding };
  }

  /** Odd units collect their flags in one status word, even ones have discrete inputs. */
  #bit(): Pick<Register, 'table' | 'address' | 'size' | 'encoding' | 'bit'> {
    const bit = this.#next.bits!;
    this.#next.bits = bit + 1;
    if (!this.#bitsInWord) return { table: 'di', address: bit, size: 1, encoding: 'bool' };
    if (bit % 16 === 0) this.#statusWord = this.#take('states', 'ir', 1, 0).address;
    return { table: 'ir', address: this.#statusWord!, size: 1, encoding: 'bit', bit: bit % 16 };
  }

  #take(area: string, table: Table, size: number, hole: number): { table: Table; address: number; size: number } {
    const address = this.#next[area]!;
    this.#next[area] = address + size + hole;
    return { table, address, size };
  }
}

/** int16 or uint16 times a power of ten, when the instrument's range fits without losing a shown digit. */
function scaledForm(signal: Signal): Pick<Register, 'encoding' | 'scale' | 'sentinel'> | undefined {
  const range = signal.instrument;
  if (!range) return undefined;
  const factor = 10 ** signal.decimals;
  const scale = signal.decimals === 0 ? {} : { scale: Number(`1e-${signal.decimals}`) };
  if (range.low >= 0 && range.high * factor <= 0xfffe) return { encoding: 'uint16', sentinel: 0xffff, ...scale };
  if (range.low * factor >= -0x7fff && range.high * factor <= 0x7fff)
    return { encoding: 'int16', sentinel: -0x8000, ...scale };
  return undefined;
}

/** 10ⁿ for a scale of 10⁻ⁿ. */
function divisor(entry: Register): number {
  return Math.round(1 / (entry.scale ?? 1));
}

/** What stands in the registers as a number: integers saturate beside their sentinel, counters wrap. */
function content(entry: Register, value: SignalValue | null): SignalValue {
  if (entry.encoding === 'string') return cut(value === null ? '' : String(value), (entry.length ?? 1) * 2);
  if (entry.encoding === 'bool' || entry.encoding === 'bit')
    return value === true || (typeof value === 'number' && value !== 0);
  const number = value === null ? NaN : Number(value);
  if (entry.encoding === 'float64') return number;
  if (entry.encoding === 'float32') return Math.fround(number);
  if (!Number.isFinite(number)) return entry.sentinel ?? 0;
  const whole = Math.round(number * divisor(entry)) + 0;
  if (entry.encoding === 'int16') return Math.min(0x7fff, Math.max(-0x7fff, whole));
  if (entry.encoding === 'uint16') return Math.min(0xfffe, Math.max(0, whole));
  if (entry.encoding === 'int32') return Math.min(0x7fffffff, Math.max(-0x7fffffff, whole));
  // One less than 2³²: the last content is taken by the sentinel.
  if (entry.encoding === 'uint32') return whole < 0 ? 0 : whole % 0xffffffff;
  return whole;
}

/** Cuts to so many UTF-8 bytes without leaving half a character. */
function cut(text: string, bytes: number): string {
  let out = text;
  while (Buffer.byteLength(out) > bytes) out = [...out].slice(0, -1).join('');
  return out;
}

function decoded(entry: Register, value: SignalValue | null): SignalValue | null {
  const raw = content(entry, value);
  if (typeof raw !== 'number') return raw;
  if (Number.isNaN(raw) || raw === entry.sentinel) return null;
  return raw / divisor(entry) + 0;
}

/** The registers (or the one bit) that the server answers with for this value. */
export function registersFor(entry: Register, value: SignalValue | null): number[] {
  const raw = content(entry, value);
  return encode(entry.encoding, raw, entry.order, entry.length);
}
