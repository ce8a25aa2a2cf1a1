/**
 * How amounts are written and what they are inside.
 *
 * Inside, every amount is a non-negative safe integer in the base unit of its dimension: bytes, millicores, bit/s, or
 * milli-units of anything else that is counted. Plain numbers are MiB (memory, disk), percent of one core (cpu),
 * Mbit/s (network) or whole units; strings carry their unit. Suffixes follow Kubernetes' resource quantities, but a
 * quantity finer than the base unit is refused instead of rounded up.
 */
interface Dimension {
  readonly baseUnit: string;
  /** Base units in one of a plain number. */
  readonly plainFactor: bigint;
  /** Suffix -> [multiplier, divisor] into base units. */
  readonly suffixes: Readonly<Record<string, bigint>>;
  readonly allowed: string;
}

const KI = 1024n;
const BYTES: Dimension = {
  baseUnit: 'bytes',
  plainFactor: KI * KI,
  suffixes: {
    B: 1n,
    k: 1000n,
    K: 1000n,
    M: 10n ** 6n,
    G: 10n ** 9n,
    T: 10n ** 12n,
    P: 10n ** 15n,
    kB: 1000n,
    KB: 1000n,
    MB: 10n ** 6n,
    GB: 10n ** 9n,
    TB: 10n ** 12n,
    PB: 10n ** 15n,
    Ki: KI,
    Mi: KI ** 2n,
    Gi: KI ** 3n,
    Ti: KI ** 4n,
    Pi: KI ** 5n,
    KiB: KI,
    MiB: KI ** 2n,
    GiB: KI ** 3n,
    TiB: KI ** 4n,
    PiB: KI ** 5n,
  },
  allowed: 'a number of MiB, or a string with a unit: B, k, M, G, T, P, Ki, Mi, Gi, Ti, Pi ("1.5Gi"), in whole bytes',
};
const MILLICORES: Dimension = {
  baseUnit: 'millicores',
  plainFactor: 10n,
  suffixes: { m: 1n, '%': 10n, c: 1000n, core: 1000n, cores: 1000n },
  allowed: 'a number of percent of one core, or a string with a unit: m, %, core, cores ("250m"), in whole millicores',
};
const BITS: Dimension = {
  baseUnit: 'bit/s',
  plainFactor: 10n ** 6n,
  suffixes: {
    bit: 1n,
    kbit: 1000n,
    Mbit: 10n ** 6n,
    Gbit: 10n ** 9n,
    Tbit: 10n ** 12n,
    'bit/s': 1n,
    'kbit/s': 1000n,
    'Mbit/s': 10n ** 6n,
    'Gbit/s': 10n ** 9n,
    'Tbit/s': 10n ** 12n,
  },
  allowed: 'a number of Mbit/s, or a string with a unit: bit, kbit, Mbit, Gbit, Tbit ("100Mbit"), in whole bit/s',
};
const MILLI_UNITS: Dimension = {
  baseUnit: 'milli-units',
  plainFactor: 1000n,
  suffixes: { m: 1n },
  allowed: 'a number of units, or a string in milli-units ("500m"), in whole milli-units',
};

const DIMENSIONS = new Map<string, Dimension>([
  ['memory', BYTES],
  ['disk', BYTES],
  ['cpu', MILLICORES],
  ['network', BITS],
]);

const dimensionOf = (name: string): Dimension => DIMENSIONS.get(name) ?? MILLI_UNITS;

/** The base unit of a dimension, for messages and metrics. */
export const baseUnitOf = (dimension: string): string => dimensionOf(dimension).baseUnit;

/** What may be written for an amount of this dimension. */
export const allowedAmountOf = (dimension: string): string => dimensionOf(dimension).allowed;

/** A dimension's name is a short lower-case word that no object inherits. */
export const isDimensionName = (name: string): boolean =>
  /^[a-z][a-z0-9._-]{0,62}$/.test(name) && name !== 'constructor';

const MAX = BigInt(Number.MAX_SAFE_INTEGER);
const DECIMAL = /^([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?$/;

/** `decimal` times `factor` if that is a whole number of at most 2^53-1, computed exactly. */
function exactProduct(decimal: string, factor: bigint): number | undefined {
  const match = DECIMAL.exec(decimal);
  if (match === null) return undefined;
  const fraction = match[2] ?? '';
  const exponent = Number(match[3] ?? 0) - fraction.length;
  const mantissa = BigInt(match[1] + fraction) * factor;
  if (exponent >= 0) return toSafe(mantissa * 10n ** BigInt(exponent));
  const divisor = 10n ** BigInt(-exponent);
  return mantissa % divisor === 0n ? toSafe(mantissa / divisor) : undefined;
}

const toSafe = (value: bigint): number | undefined => (value <= MAX ? Number(value) : undefined);

function parseText(dimension: Dimension, text: string): number | undefined {
  const match = /^([0-9.]+(?:[eE][+-]?[0-9]+)?)\s?([A-Za-z%/]+)$/.exec(text.trim());
  const suffix = match?.[2];
  if (match === null || suffix === undefined || !Object.hasOwn(dimension.suffixes, suffix)) return undefined;
  return exactProduct(match[1]!, dimension.suffixes[suffix]!);
}

function parseNumber(dimension: Dimension, value: number): number | undefined {
  if (!(value >= 0) || value === Number.POSITIVE_INFINITY) return undefined;
  const product = value * Number(dimension.plainFactor);
  if (Number.isInteger(value) && Number.isSafeInteger(product)) return product + 0;
  return exactProduct(String(value), dimension.plainFactor);
}

/** Longer texts are no amount, in characters: what is written is kept with the request. */
const MAX_TEXT = 64;

/** The amount in base units, or undefined if it is negative, finer than the base unit, larger than 2^53-1 or no amount at all. */
export function parseAmount(dimension: string, value: unknown): number | undefined {
  const rules = dimensionOf(dimension);
  if (typeof value === 'number') return parseNumber(rules, value);
  return typeof value === 'string' && value.length <= MAX_TEXT ? parseText(rules, value) : undefined;
}
