import type { EventData } from '../../model/events.ts';

/** A breaker in a mode that lasts until something happens to it. */
export interface Resting<Mode extends 'closed' | 'forcedOpen' | 'disabled' | 'metricsOnly'> {
  readonly mode: Mode;
  readonly generation: number;
  readonly until: null;
  readonly reopened: 0;
}

/** A breaker in a mode that ends by itself. */
export interface Timed<Mode extends 'open' | 'halfOpen'> {
  readonly mode: Mode;
  readonly generation: number;
  /** Unix ms. */
  readonly until: number;
  /** How often it has reopened without closing. */
  readonly reopened: number;
}

/** What the log says of one manager's breaker. */
export type BreakerRecord = Resting<'closed' | 'forcedOpen' | 'disabled' | 'metricsOnly'> | Timed<'open' | 'halfOpen'>;

/** A breaker's change, as the event records it for its writer. */
export type BreakerChange = Omit<EventData['BreakerModeChanged'], 'writerId'>;

/** A breaker of which nothing is recorded yet. */
export const BREAKER_CLOSED: BreakerRecord = { mode: 'closed', generation: 0, until: null, reopened: 0 };

/** The breaker after a change; undefined = the change gives a time to a mode that has none, or none to one that has. */
export function recordAfter({ to: mode, generation, until, reopened }: BreakerChange): BreakerRecord | undefined {
  if (mode === 'open' || mode === 'halfOpen') return until === null ? undefined : { mode, generation, until, reopened };
  return until === null ? { mode, generation, until, reopened: 0 } : undefined;
}
