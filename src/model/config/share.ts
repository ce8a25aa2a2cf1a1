import type { FieldError } from '../errors.ts';
import type { Amounts } from '../values/amounts.ts';
import { allowedAmountOf, isDimensionName, parseAmount } from '../values/units.ts';
import type { Share } from './config.ts';

const PERCENTAGE = /^(\d{1,6})(?:\.(\d{1,6}))?%$/;

/** A percentage as a fraction of whole numbers, so that shares are computed exactly. */
function parsePercentage(text: string): { numerator: bigint; denominator: bigint } | undefined {
  const match = PERCENTAGE.exec(text);
  if (match === null) return undefined;
  const decimals = match[2] ?? '';
  return { numerator: BigInt(match[1] + decimals), denominator: 100n * 10n ** BigInt(decimals.length) };
}

export const isPercentage = (value: unknown): value is string => typeof value === 'string' && PERCENTAGE.test(value);

/** `percentage` of `whole` base units, rounded down. In a configuration `%` is of a whole, for cpu too. */
export function percentOf(percentage: string, whole: number): number {
  const share = parsePercentage(percentage);
  if (share === undefined) throw new RangeError(`${percentage} is no percentage`);
  return Number((BigInt(whole) * share.numerator) / share.denominator);
}

/** What a share comes to, in base units, for every dimension of `whole`; dimensions that it does not name are 0. */
export function shareOf(share: Share | 0, whole: Amounts): Amounts {
  const amounts: Record<string, number> = {};
  for (const dimension of Object.keys(whole)) amounts[dimension] = partOf(share, dimension, whole[dimension]!);
  return amounts;
}

function partOf(share: Share | 0, dimension: string, whole: number): number {
  const written = typeof share === 'object' ? share[dimension] : share;
  if (written === undefined || written === 0) return 0;
  return isPercentage(written) ? percentOf(written, whole) : (parseAmount(dimension, written) ?? 0);
}

/** Adds an error for each wrong part of a share: a percentage, or amounts and percentages by dimension. */
export function checkShare(share: unknown, path: string, errors: FieldError[]): void {
  if (isPercentage(share)) return;
  if (typeof share !== 'object' || share === null || Array.isArray(share)) {
    errors.push({ path, value: share, allowed: 'a percentage such as "50%", or amounts by dimension' });
    return;
  }
  for (const [dimension, value] of Object.entries(share)) {
    if (!isDimensionName(dimension)) errors.push({ path: `${path}.${dimension}`, value, allowed: 'a dimension name' });
    else if (!isPercentage(value) && parseAmount(dimension, value) === undefined) {
      errors.push({ path: `${path}.${dimension}`, value, allowed: `a percentage, or ${allowedAmountOf(dimension)}` });
    }
  }
}
