import type { FieldError } from '../errors.ts';
import { allowedAmountOf, isDimensionName, parseAmount } from './units.ts';

/** Base units by dimension (bytes, millicores, bit/s, milli-units): non-negative safe integers, never floats. */
export type Amounts = Readonly<Record<string, number>>;

/** What a user writes: see `units.ts` for the units of plain numbers and strings. */
export type Requirements = Readonly<Record<string, number | string>>;

/** The kinds of resource that are known by name; other names may be declared. */
export const ResourceType = {
  Memory: 'memory',
  Cpu: 'cpu',
  Gpu: 'gpu',
  Disk: 'disk',
  Network: 'network',
} as const;
export type ResourceType = (typeof ResourceType)[keyof typeof ResourceType];

const MAX_DIMENSIONS = 32;

/** Parses amounts as a user writes them; every wrong field is added to `errors`, and then the result is not to be used. */
export function parseRequirements(input: unknown, path: string, errors: FieldError[]): Amounts {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    errors.push({
      path,
      value: input,
      allowed: 'an object of amounts by dimension, such as {"memory": 1000, "cpu": "50%"}',
    });
    return {};
  }
  const entries = Object.entries(input);
  if (entries.length > MAX_DIMENSIONS) {
    errors.push({ path, value: `${entries.length} dimensions`, allowed: `at most ${MAX_DIMENSIONS} dimensions` });
    return {};
  }
  const amounts: Record<string, number> = {};
  for (const [dimension, value] of entries) {
    const amount = isDimensionName(dimension) ? parseAmount(dimension, value) : undefined;
    if (amount !== undefined) amounts[dimension] = amount;
    else errors.push({ path: `${path}.${dimension}`, value, allowed: allowedOf(dimension) });
  }
  return amounts;
}

const allowedOf = (dimension: string): string =>
  isDimensionName(dimension) ? allowedAmountOf(dimension) : 'a dimension name: ^[a-z][a-z0-9._-]{0,62}$';

/** True if every dimension is zero (or there is none). */
export function isZero(amounts: Amounts): boolean {
  for (const dimension in amounts) if (amounts[dimension] !== 0) return false;
  return true;
}

/**
 * The amount in one dimension; 0 where it is not named. The one place that reads amounts by name on the hot path: engines
 * specialise a keyed read to the names that it has seen, and drop the whole optimised function at each new one; a read that
 * has seen many stays fast.
 */
export const amountIn = (amounts: Amounts, dimension: string): number => amounts[dimension] ?? 0;

/** Of the amounts in their order; the names do not count. Equal amounts have one hash, and few others have it. */
export function hashOf(amounts: Amounts): number {
  let hash = 0;
  for (const dimension in amounts) {
    const amount = amounts[dimension]!;
    hash = Math.imul(hash ^ (amount | 0) ^ Math.floor(amount / 2 ** 32), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

type Fields = Readonly<Record<string, unknown>>;

/** The same names with the same plain values, or both nothing. A zero and a missing dimension differ. */
export function areEqual(a: Fields | null, b: Fields | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  let count = 0;
  for (const name in a) {
    if (a[name] !== b[name]) return false;
    count += 1;
  }
  for (const _ in b) count -= 1;
  return count === 0;
}
