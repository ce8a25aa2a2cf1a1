import type { ResourceIssue } from '../model/interfaces.ts';

/** Amounts of one dimension in base units; used + available may be less than total when others hold the rest back. */
export interface ResourceUse {
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

/** What one look at a dimension gave: its amounts, or why there are none. */
export type Reading = ResourceUse | Error;
export type Alert = (issue: ResourceIssue) => void;

export interface Settled {
  readonly resources: Readonly<Record<string, ResourceUse>>;
  /** Dimensions whose amounts are not of this look, or that are left out, and why. */
  readonly unreadable: Readonly<Record<string, string>>;
}

const isAmount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** The amounts themselves, or an error that names the field that cannot be true. */
export function judge(dimension: string, use: ResourceUse): Reading {
  for (const field of ['total', 'used', 'available'] as const) {
    const value: unknown = use?.[field];
    if (!isAmount(value))
      return new RangeError(`${dimension}.${field}: ${String(value)} is not a safe integer of at least 0`);
  }
  if (use.total === 0) return new RangeError(`${dimension}.total: 0 is no capacity`);
  if (use.available > use.total)
    return new RangeError(`${dimension}.available: ${use.available} is above the total, ${use.total}`);
  return use;
}

/**
 * Every dimension once seen keeps an amount for ever: a look that fails, or gives what cannot be true, leaves the last good
 * one standing. A capacity of 0 would revoke what is granted, an infinite one would grant what is not there. One alert
 * tells of a failure's begin and one of its end.
 */
export class LastGood {
  readonly #good = new Map<string, ResourceUse>();
  /** Why the last look at it failed. */
  readonly #failing = new Map<string, string>();
  readonly #alert: Alert;

  constructor(alert: Alert) {
    this.#alert = alert;
  }

  settle(readings: Readonly<Record<string, Reading>>, at: number): Settled {
    for (const dimension of new Set([...Object.keys(readings), ...this.#good.keys()])) {
      const raw = readings[dimension] ?? new Error(`${dimension} is missing in the sample`);
      const reading = raw instanceof Error ? raw : judge(dimension, raw);
      if (reading instanceof Error) this.#fail(dimension, reading, at);
      else this.#succeed(dimension, reading, at);
    }
    return { resources: Object.fromEntries(this.#good), unreadable: Object.fromEntries(this.#failing) };
  }

  /** A look that gave nothing at all. */
  settleFailure(error: Error, at: number): Settled {
    return this.settle(Object.fromEntries([...this.#good.keys()].map((dimension) => [dimension, error])), at);
  }

  #succeed(dimension: string, use: ResourceUse, at: number): void {
    this.#good.set(dimension, use);
    if (!this.#failing.delete(dimension)) return;
    this.#alert({
      code: 'DETECTOR_RECOVERED',
      severity: 'info',
      message: `${dimension} is read again`,
      at,
      resource: dimension,
    });
  }

  #fail(dimension: string, error: Error, at: number): void {
    const known = this.#failing.has(dimension);
    this.#failing.set(dimension, error.message);
    if (known) return;
    const standing = this.#good.get(dimension);
    const stands = standing ? `the last good total ${standing.total} stands` : 'it is left out';
    const message = `${dimension} could not be read, ${stands}: ${error.message}`;
    this.#alert({ code: 'DETECTOR_STALE', severity: 'warning', message, at, resource: dimension });
  }
}
