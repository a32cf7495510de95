// Samples as lines of a file: CSV for people and spreadsheets, NDJSON; import takes both back as they were. Pure; called in
// the reader thread, so that an export costs main no more than passing bytes on.
import { quality } from '../model.ts';
import type { RawSeries, RowForm, RowText } from '../history.ts';
import type { Micros, Value } from '../model.ts';
import { textCell, valueCell } from './cells.ts';
import { utc, zoneOf } from './zone.ts';
import type { Zone } from './zone.ts';

export function csvHead(zone: string): string {
  return `timestamp [${zone}],tag,value,quality,status,unit\r\n`;
}

/** A page of a series; `form` says how its lines look. */
export function rowText(series: RawSeries, form: RowForm): RowText & { text: Uint8Array<ArrayBuffer> } {
  const zone = zoneNamed(form.zone);
  const text = new TextEncoder().encode(form.format === 'csv' ? csv(series, form, zone) : ndjson(series, form, zone));
  const last = series.t.at(-1);
  return {
    text,
    ...(series.more && last !== undefined ? { next: last + 1 } : {}),
    ...(series.incomplete === undefined ? {} : { incomplete: series.incomplete }),
  };
}

function csv({ t, value, status }: RawSeries, { tag, unit }: RowForm, zone: Zone): string {
  const [id, measure] = [textCell(tag), textCell(unit)];
  let text = '';
  for (let i = 0; i < t.length; i++) {
    const code = status[i] as number;
    text += `${zone.text(t[i] as Micros)},${id},${valueCell(value[i] as Value)},${quality(code)},${code},${measure}\r\n`;
  }
  return text;
}

function ndjson({ t, value, status }: RawSeries, { tag, believed }: RowForm, zone: Zone): string {
  const id = JSON.stringify(tag);
  let text = '';
  for (let i = 0; i < t.length; i++) {
    const code = status[i] as number;
    const one = value[i] as Value;
    // By both, import knows that a gateway has stood behind the value, however strange it is.
    const said = code === 0 && usual(one, believed) ? '' : `,"quality":"${quality(code)}","status":${code}`;
    text += `{"tag":${id},"timestamp":"${zone.text(t[i] as Micros)}","value":${jsonValue(one)}${said}}\n`;
  }
  return text;
}

function usual(value: Value, believed: RowForm['believed']): boolean {
  if (typeof value !== 'number' && typeof value !== 'bigint') return value !== null;
  if (typeof value === 'number' && !Number.isFinite(value)) return false;
  return !believed || (value >= believed.low && value <= believed.high);
}

/** What import reads back to the same bits: past 2^53 as text, and zero with its sign. */
export function jsonValue(value: Value): string {
  if (typeof value === 'bigint') return `"${value}"`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`;
  return JSON.stringify(value);
}

/** An export asks for page after page in one zone, whose table is dear to make. */
let known: { name: string; zone: Zone } = { name: 'UTC', zone: utc };
function zoneNamed(name: string): Zone {
  if (known.name !== name) known = { name, zone: zoneOf(name) ?? utc };
  return known.zone;
}
