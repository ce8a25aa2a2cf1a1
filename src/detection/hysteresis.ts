import type { Amounts } from '../model/values/amounts.ts';

export interface HysteresisRule {
  /** A change is one only if larger than this share of the reported amount. */
  readonly hysteresisRatio: number;
  /** It is reported once this many samples in a row lay on the same side. */
  readonly stableSamples: number;
}

interface Deviation {
  readonly above: boolean;
  readonly count: number;
  /** The least amount seen on this side: all samples offered at least as much. */
  readonly lowest: number;
}

/** What is reported, and what is on its way to be. A value: `observe` makes the next one. */
export interface Hysteresis {
  readonly reported: Amounts;
  readonly deviations: Readonly<Record<string, Deviation>>;
  /** The last sample changed what is reported. */
  readonly changed: boolean;
}

/** The first sample is reported as it is. */
export const startHysteresis = (first: Amounts): Hysteresis => ({ reported: first, deviations: {}, changed: true });

/**
 * Takes over an amount that moved by more than the ratio and stayed moved for `stableSamples`, so that noise resizes
 * nothing (a Schmitt trigger with a dwell). A new dimension must stay as long; one that is missing in a sample is no
 * evidence and keeps what is reported.
 */
export function observe(state: Hysteresis, sample: Amounts, rule: HysteresisRule): Hysteresis {
  const reported: Record<string, number> = { ...state.reported };
  const deviations: Record<string, Deviation> = {};
  let changed = false;
  for (const [dimension, amount] of Object.entries(sample)) {
    const deviation = deviate(state.deviations[dimension], state.reported[dimension], amount, rule);
    if (deviation === undefined) continue;
    if (deviation.count < rule.stableSamples) deviations[dimension] = deviation;
    else {
      reported[dimension] = deviation.lowest;
      changed = true;
    }
  }
  return { reported: changed ? reported : state.reported, deviations, changed };
}

function deviate(
  before: Deviation | undefined,
  reported: number | undefined,
  amount: number,
  rule: HysteresisRule,
): Deviation | undefined {
  const base = reported ?? 0;
  if (Math.abs(amount - base) <= base * rule.hysteresisRatio) return undefined;
  const above = amount > base;
  if (before === undefined || before.above !== above) return { above, count: 1, lowest: amount };
  return { above, count: before.count + 1, lowest: Math.min(before.lowest, amount) };
}
