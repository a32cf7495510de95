// Pure: what a device said becomes what the tag means: sentinels, scale, type, clamp.
// The pipeline prepares a recipe per tag and catalog, then calls `normalize` for every reading.
// Nothing here ever turns an unusable value into a good one.
import type { Scale, Tag } from '../catalog.ts';
import { Status } from '../model.ts';
import type { Value, ValueType } from '../model.ts';

/** OPC UA: the value was outside the limits its tag allows and is given at the limit. */
export const uncertainEngineeringUnitsExceeded = 0x40940000;

export interface Recipe {
  type: ValueType;
  scale: Exact | null;
  low: number;
  high: number;
  sentinels: readonly number[] | null;
}

/** value = (raw × multiply + shift) ÷ divide, in whole numbers as far as the config allows; `offset` is for raw fractions. */
interface Exact {
  multiply: number;
  divide: number;
  shift: number;
  raw: Scale;
}

export interface Normalized {
  value: Value;
  status: number;
}

/** @param engineering the values are in engineering units already (import, seed): no sentinels, no scale. */
export function recipeOf(tag: Tag, engineering = false): Recipe {
  return {
    type: tag.type,
    scale: tag.scale && !engineering ? exact(tag.scale) : null,
    low: tag.clamp?.low ?? -Infinity,
    high: tag.clamp?.high ?? Infinity,
    sentinels: tag.sentinels?.length && !engineering ? tag.sentinels : null,
  };
}

/** Normalizes one value into `out` (reused by the caller, so that a reading costs no object) and returns it. */
export function normalize(recipe: Recipe, value: Value, status: number, out: Normalized): Normalized {
  out.status = status >>> 0;
  out.value = null;
  const bad = out.status >>> 31 === 1;
  if (value === null || value === undefined) return bad ? out : fail(out, Status.bad);
  if (recipe.sentinels !== null && isSentinel(recipe.sentinels, value))
    return fail(out, bad ? out.status : Status.badSensorFailure);
  let given: Value = value;
  if (typeof given === 'number' && !Number.isFinite(given) && recipe.type !== 'text')
    return fail(out, bad ? out.status : Status.badOutOfRange);
  if (recipe.scale !== null && (typeof given === 'number' || typeof given === 'bigint')) {
    given = scaled(recipe.scale, given, recipe.type);
    if (typeof given === 'number' && !Number.isFinite(given)) return fail(out, bad ? out.status : Status.badOutOfRange);
  }
  const coerced = coerce(recipe.type, given);
  if (coerced === undefined) return fail(out, bad ? out.status : Status.badTypeMismatch);
  out.value = coerced;
  if ((typeof coerced === 'number' || typeof coerced === 'bigint') && (coerced < recipe.low || coerced > recipe.high)) {
    out.value = coerced < recipe.low ? recipe.low : recipe.high;
    if (out.status >>> 30 === 0) out.status = uncertainEngineeringUnitsExceeded;
  }
  return out;
}

function fail(out: Normalized, status: number): Normalized {
  out.value = null;
  out.status = status;
  return out;
}

function isSentinel(sentinels: readonly number[], value: Value): boolean {
  if (typeof value === 'bigint')
    return sentinels.some((sentinel) => Number.isInteger(sentinel) && BigInt(sentinel) === value);
  return typeof value === 'number' && sentinels.includes(value);
}

function scaled(scale: Exact, value: number | bigint, type: ValueType): number | bigint {
  if (typeof value === 'bigint') {
    if (type === 'integer' && scale.divide === 1 && Number.isInteger(scale.multiply) && Number.isInteger(scale.shift))
      return value * BigInt(scale.multiply) + BigInt(scale.shift);
    value = Number(value);
  }
  const result = Number.isInteger(value)
    ? (value * scale.multiply + scale.shift) / scale.divide
    : (value * scale.raw.multiply) / scale.raw.divide + scale.raw.offset;
  return type === 'integer' ? Math.round(result) : result;
}

/** undefined: the value cannot be had in this type. */
function coerce(type: ValueType, value: Value): Value | undefined {
  switch (type) {
    case 'double':
      if (typeof value === 'number') return value;
      if (typeof value === 'bigint') return Number(value);
      return typeof value === 'boolean' ? Number(value) : undefined;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      if (value === 1 || value === 1n) return true;
      return value === 0 || value === 0n ? false : undefined;
    case 'integer':
      if (typeof value === 'number') {
        if (!Number.isInteger(value)) return undefined;
        return Number.isSafeInteger(value) ? value : BigInt(value);
      }
      if (typeof value === 'bigint')
        return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
      return typeof value === 'boolean' ? Number(value) : undefined;
    case 'text':
      return typeof value === 'string' ||
        typeof value === 'number' ||
        typeof value === 'bigint' ||
        typeof value === 'boolean'
        ? String(value)
        : undefined;
  }
}

/** Brings the offset over the same divisor, so that 0.7 + 0.1 is 0.8 and not 0.7999999999999999. */
function exact(scale: Scale): Exact {
  for (let power = 1; power <= 1e9; power *= 10) {
    const shift = Math.round(scale.offset * scale.divide * power);
    if (shift / (scale.divide * power) === scale.offset && Number.isSafeInteger(shift))
      return { multiply: scale.multiply * power, divide: scale.divide * power, shift, raw: scale };
  }
  return { multiply: scale.multiply, divide: scale.divide, shift: scale.offset * scale.divide, raw: scale };
}
