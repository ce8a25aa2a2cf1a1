/**
 * The names of the machines' states and events. The machines themselves are in `machines/`; events carry these names.
 */
export type AdmissionMode = 'open' | 'cordoned' | 'draining' | 'drained';
export type LoadMode = 'normal' | 'pressured' | 'saturated' | 'overcommitted';
export type BreakerMode = 'closed' | 'open' | 'halfOpen' | 'forcedOpen' | 'disabled' | 'metricsOnly';

/** Both regions of a tier's machine. */
export interface TierMode {
  readonly admission: AdmissionMode;
  readonly load: LoadMode;
}

/** What can happen to a tier. The first five are commands or deadlines, the rest come from the sensors. */
export type TierTrigger =
  | 'cordon'
  | 'uncordon'
  | 'drain'
  | 'drain.deadline'
  | 'emptied'
  | 'usage.high'
  | 'usage.full'
  | 'usage.low'
  | 'over'
  | 'over.ended';

/** What sets each breaker mode that a hand may set. */
export const FORCE_TRIGGERS = {
  closed: 'force.closed',
  forcedOpen: 'force.open',
  disabled: 'force.disabled',
  metricsOnly: 'force.metricsOnly',
} as const;

export type ForcedMode = keyof typeof FORCE_TRIGGERS;
export type ForceTrigger = (typeof FORCE_TRIGGERS)[ForcedMode];

/** What can happen to a breaker. `force.*` are set by hand; the rest come from the sensors and the live actor. */
export type BreakerTrigger =
  | 'failures.high'
  | 'slow.high'
  | 'overload.high'
  | 'health.failed'
  | 'openElapsed'
  | 'probes.succeeded'
  | 'probe.failed'
  | 'halfOpenElapsed'
  | ForceTrigger;
