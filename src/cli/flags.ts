import { InvalidArgumentError } from 'commander';
import { isDimensionName, parseAmount } from '../model/values/units.ts';

const SPAN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "250ms", "60s", "5m", "2h": whole ms. */
export function spanFlag(text: string): number {
  const match = SPAN.exec(text);
  const ms = match === null ? Number.NaN : Number(match[1]) * MS[match[2]!]!;
  if (!Number.isInteger(ms))
    throw new InvalidArgumentError(`${text} is no time span; allowed: a number with ms, s, m, h or d ("60s")`);
  return ms;
}

export function wholeFlag(text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError(`${text} is not allowed; allowed: a whole number`);
  return value;
}

/** An amount as `requirements` takes it: a plain number stays one, everything else must carry a unit. */
export const amountFlag =
  (dimension: string) =>
  (text: string): number | string => {
    const value = /^[0-9.]+$/.test(text) ? Number(text) : text;
    if (parseAmount(dimension, value) === undefined)
      throw new InvalidArgumentError(`${text} is no amount of ${dimension}`);
    return value;
  };

/** `--require NAME=AMOUNT`, repeatable, for dimensions that have no flag of their own. */
export function requireFlag(
  text: string,
  before: Record<string, number | string> = {},
): Record<string, number | string> {
  const [dimension, amount] = splitPair(text);
  if (!isDimensionName(dimension)) throw new InvalidArgumentError(`${dimension} is no dimension name`);
  return { ...before, [dimension]: amountFlag(dimension)(amount) };
}

export function pairFlag(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [name, value] = splitPair(text);
  return { ...before, [name]: value };
}

function splitPair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError(`${text} is not of the form NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}
