// The register map of a simulated site, laid out as real devices lay theirs: one unit id an asset behind one address,
// floats in two word orders, scaled 16-bit words, 32-bit counters, discrete bits, and holes in between. Pure.
// The server keeps its registers by it and the config writer prints it, so the two cannot disagree.
import type { PlantSite, Signal, SignalValue } from '../plant.ts';

export type Table = 'ir' | 'hr' | 'di';
export type Encoding = 'bool' | 'int16' | 'uint16' | 'uint32' | 'int32' | 'float32' | 'string';

export interface MapEntry {
  /** Place in `plant.values()`. */
  index: number;
  unitId: number;
  table: Table;
  /** 0-based, as on the wire. */
  address: number;
  encoding: Encoding;
  /** For two-word encodings: ABCD, or CDAB with the low word first. */
  order: 'ABCD' | 'CDAB';
  /** value = register × 10^-digits. */
  digits: number;
  /** Registers (or bits) it takes. */
  length: number;
}

export interface RegisterMap {
  entries: readonly MapEntry[];
  /** The value a right client decodes after this one went through its registers. */
  served(flatIndex: number, value: SignalValue): SignalValue;
}

/** Registers of one text. */
const textLength = 16;
/** Unit ids of a serial bus end here (Modbus over serial line, §2.2). */
const lastUnit = 247;
/** More assets than units: the next round begins this far up. */
const roundSpan = 1000;

export function registerMap(site: PlantSite): RegisterMap {
  const entries: MapEntry[] = [];
  let index = 0;
  site.assets.forEach((asset, number) => {
    const unitId = (number % lastUnit) + 1;
    const base = Math.floor(number / lastUnit) * roundSpan;
    const next: Record<Table, number> = { ir: base, hr: base, di: base };
    asset.signals.forEach((signal, position) => {
      const shape = shapeOf(signal, number);
      // A hole now and then: readers that fill gaps blindly meet an undefined register.
      if (position > 0 && position % 4 === 0) next[shape.table] += 3;
      entries.push({ index: index++, unitId, address: next[shape.table], order: number % 2 === 0 ? 'ABCD' : 'CDAB', ...shape });
      next[shape.table] += shape.length;
    });
  });
  return { entries, served: (flatIndex, value) => servedValue(entries[flatIndex], value) };
}

type Shape = Pick<MapEntry, 'table' | 'encoding' | 'digits' | 'length'>;

function shapeOf(signal: Signal, assetNumber: number): Shape {
  if (signal.type === 'boolean') return { table: 'di', encoding: 'bool', digits: 0, length: 1 };
  if (signal.type === 'text') return { table: 'hr', encoding: 'string', digits: 0, length: textLength };
  if (signal.type === 'integer') {
    return signal.names
      ? { table: 'hr', encoding: 'uint16', digits: 0, length: 1 }
      : { table: 'ir', encoding: 'uint32', digits: 0, length: 2 };
  }
  const span = signal.instrument ?? signal.range;
  const digits = Math.min(signal.decimals, 3);
  // Every third device is an old one that knows 16-bit words only.
  if (assetNumber % 3 === 2 && span && Math.max(Math.abs(span.low), Math.abs(span.high)) * 10 ** digits < 16_000) {
    return { table: 'ir', encoding: 'int16', digits, length: 1 };
  }
  return { table: 'ir', encoding: 'float32', digits: 0, length: 2 };
}

function servedValue(entry: MapEntry | undefined, value: SignalValue): SignalValue {
  if (!entry) throw new RangeError('no such signal in the register map');
  if (typeof value === 'string') return value.slice(0, textLength * 2);
  if (typeof value === 'boolean') return value;
  switch (entry.encoding) {
    case 'float32':
      return Math.fround(value);
    case 'int16':
      return clamp(Math.round(value * 10 ** entry.digits), -32_767, 32_767) / 10 ** entry.digits;
    case 'uint16':
      return clamp(Math.round(value), 0, 65_534);
    case 'uint32':
      return Math.round(value) % 0xffff_ffff;
    default:
      return Math.round(value);
  }
}

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
