import type { BreakerConfig } from '../../model/config/config.ts';
import type { BreakerTrigger } from '../../model/modes.ts';
import type { BreakerRecord, Resting, Timed } from './breaker-record.ts';
import { SampleWindow } from './sample-window.ts';

/** The growing share of allocates that passes after a reopening. */
export interface Ramp {
  /** When it began, Unix ms. */
  readonly since: number;
  /** How long it takes until all of them pass. */
  readonly ms: number;
  /** What the allocates that were turned away have saved up; with the share of the next one it is a whole permit, or not. */
  credit: number;
}

interface Sampling {
  readonly samples: SampleWindow;
  readonly ramp: Ramp | undefined;
}

interface Probing {
  /** How many probes must succeed. */
  readonly needed: number;
  /** How many may still be let through. */
  permits: number;
  succeeded: number;
  failed: boolean;
}

type Closed = Resting<'closed'> & Sampling;
type HalfOpen = Timed<'halfOpen'> & Probing;

/** A breaker as it runs: what is recorded of it, and what no event records, which is the data of its mode alone. */
export type BreakerState = Closed | Timed<'open'> | HalfOpen | Resting<'forcedOpen' | 'disabled' | 'metricsOnly'>;

export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly retryAfterMs: number };

const ADMITTED: Admission = { admitted: true };
const SHORTLY: Admission = { admitted: false, retryAfterMs: 100 };

/** A breaker that takes over a recorded mode at `at` (Unix ms). It climbs a ramp where it was half-open before. */
export function entered(
  { mode, generation, until, reopened }: BreakerRecord,
  before: BreakerRecord | undefined,
  config: BreakerConfig,
  at: number,
): BreakerState {
  if (until === null) {
    const resting = { generation, until, reopened };
    if (mode !== 'closed') return { mode, ...resting };
    const climbs = before?.mode === 'halfOpen' && config.rampMs > 0;
    const ramp = climbs ? { since: at, ms: config.rampMs, credit: 0 } : undefined;
    return { mode, ...resting, samples: new SampleWindow(config.windowCount), ramp };
  }
  const timed = { generation, until, reopened };
  if (mode === 'open') return { mode, ...timed };
  const { halfOpenProbes: probes } = config;
  return { mode, ...timed, needed: probes, permits: probes, succeeded: 0, failed: false };
}

/** Whether an allocate may go on to be decided at `at` (Unix ms). */
export function ask(state: BreakerState, config: BreakerConfig, at: number): Admission {
  switch (state.mode) {
    case 'closed':
      return state.ramp === undefined || passes(state.ramp, at) ? ADMITTED : SHORTLY;
    case 'disabled':
    case 'metricsOnly':
      return ADMITTED;
    case 'halfOpen':
      return state.permits > 0 ? ADMITTED : refusedUntil(state.until, at);
    case 'open':
      return refusedUntil(state.until, at);
    case 'forcedOpen':
      return refusedUntil(at + config.openMs, at);
  }
}

const refusedUntil = (until: number, at: number): Admission => ({
  admitted: false,
  retryAfterMs: Math.max(100, until - at),
});

/** The share of allocates that a ramp lets through: from one in ten to all of them. No chance is involved. */
export const shareOf = (ramp: Ramp, at: number): number => Math.max(0.1, (at - ramp.since) / ramp.ms);

const passes = (ramp: Ramp, at: number): boolean => ramp.credit + shareOf(ramp, at) >= 1;

/** What its samples say should happen to a breaker at `at` (Unix ms); undefined = nothing. */
export function judge(state: BreakerState, config: BreakerConfig, at: number): BreakerTrigger | undefined {
  if (state.mode === 'closed') return judgeRates(state.samples, config, at);
  if (state.mode !== 'halfOpen') return undefined;
  if (state.failed) return 'probe.failed';
  return state.succeeded >= state.needed ? 'probes.succeeded' : undefined;
}

function judgeRates(samples: SampleWindow, config: BreakerConfig, at: number): BreakerTrigger | undefined {
  const { windowMs, minimumCalls, failureRatio, slowRatio, slowCallMs } = config;
  const { calls, failed, slow } = samples.rates(at - windowMs, slowCallMs);
  if (calls < minimumCalls) return undefined;
  if (failed / calls >= failureRatio) return 'failures.high';
  return slow / calls >= slowRatio ? 'slow.high' : undefined;
}
