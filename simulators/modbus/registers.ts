// The register memory of a simulated device: which registers and bits exist, and what stands in them.
// Written by the server's update from the plant's values, read by its requests. Its encoder is its own on purpose.
import type { SignalValue } from '../plant.ts';
import type { MapEntry, RegisterMap } from './map.ts';

/** Words of one table of one unit; an address that is not a key does not exist. */
export type Words = Map<number, number>;

export class RegisterMemory {
  readonly #units = new Map<number, Record<'ir' | 'hr' | 'di' | 'co', Words>>();
  readonly #map: RegisterMap;

  constructor(map: RegisterMap) {
    this.#map = map;
    for (const entry of map.entries) {
      const words = this.#tables(entry.unitId)[entry.table];
      for (let i = 0; i < entry.length; i++) words.set(entry.address + i, 0);
    }
  }

  /** undefined: no such unit behind this address. */
  table(unitId: number, table: 'ir' | 'hr' | 'di' | 'co'): Words | undefined {
    return this.#units.get(unitId)?.[table];
  }

  /** Takes the plant's values in; null stands as the device's "not available". */
  write(values: readonly (SignalValue | null)[]): void {
    for (const entry of this.#map.entries) {
      const value = values[entry.index] ?? null;
      const words = this.#tables(entry.unitId)[entry.table];
      encode(entry, value === null ? null : this.#map.served(entry.index, value)).forEach((word, i) => {
        words.set(entry.address + i, word);
      });
    }
  }

  #tables(unitId: number): Record<'ir' | 'hr' | 'di' | 'co', Words> {
    let tables = this.#units.get(unitId);
    if (!tables) this.#units.set(unitId, (tables = { ir: new Map(), hr: new Map(), di: new Map(), co: new Map() }));
    return tables;
  }
}

/** The words of a value as the device would hold them; `value` is already what it can hold. */
export function encode(entry: MapEntry, value: SignalValue | null): number[] {
  switch (entry.encoding) {
    case 'bool':
      return [value === true ? 1 : 0];
    case 'int16':
      return [value === null ? 0x8000 : Math.round(Number(value) * 10 ** entry.digits) & 0xffff];
    case 'uint16':
      return [value === null ? 0xffff : Number(value) & 0xffff];
    case 'int32':
    case 'uint32':
      return ordered(entry, value === null ? 0xffff_ffff : Number(value) >>> 0);
    case 'float32':
      return ordered(entry, value === null ? 0x7fc0_0000 : floatBits(Number(value)));
    case 'string': {
      const text = Buffer.alloc(entry.length * 2);
      text.write(String(value ?? ''), 'utf8');
      return Array.from({ length: entry.length }, (_, i) => text.readUInt16BE(i * 2));
    }
  }
}

function ordered(entry: MapEntry, bits: number): number[] {
  const high = bits >>> 16;
  const low = bits & 0xffff;
  return entry.order === 'ABCD' ? [high, low] : [low, high];
}

const scratch = new DataView(new ArrayBuffer(4));
function floatBits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}
