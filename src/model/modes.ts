/**
 * The names of the machines' states and events, each list once. The machines themselves are in `machines/`; events carry
 * these names.
 */
export const ADMISSION_MODES = ['open', 'cordoned', 'draining', 'drained'] as const;
export type AdmissionMode = (typeof ADMISSION_MODES)[number];

export const LOAD_MODES = ['normal', 'pressured', 'saturated', 'overcommitted'] as const;
export type LoadMode = (typeof LOAD_MODES)[number];

export const BREAKER_MODES = ['closed', 'open', 'halfOpen', 'forcedOpen', 'disabled', 'metricsOnly'] as const;
export type BreakerMode = (typeof BREAKER_MODES)[number];

/** Both regions of a tier's machine. */
export interface TierMode {
  readonly admission: AdmissionMode;
  readonly load: LoadMode;
}

/** What can happen to a tier. The first five are commands or deadlines, the rest come from the sensors. */
export const TIER_TRIGGERS = [
  'cordon',
  'uncordon',
  'drain',
  'drain.deadline',
  'emptied',
  'usage.high',
  'usage.full',
  'usage.low',
  'over',
  'over.ended',
] as const;
export type TierTrigger = (typeof TIER_TRIGGERS)[number];

/** The modes that a breaker may be set to by hand, and what sets each. */
export const FORCE_TRIGGERS = {
  closed: 'force.closed',
  forcedOpen: 'force.open',
  disabled: 'force.disabled',
  metricsOnly: 'force.metricsOnly',
} as const satisfies Partial<Record<BreakerMode, string>>;

export type ForcedMode = keyof typeof FORCE_TRIGGERS;
export type ForceTrigger = (typeof FORCE_TRIGGERS)[ForcedMode];

export const FORCED_MODES = Object.keys(FORCE_TRIGGERS) as readonly ForcedMode[];
export const isForcedMode = (mode: string): mode is ForcedMode => Object.hasOwn(FORCE_TRIGGERS, mode);

/** What can happen to a breaker. `force.*` are set by hand; the rest come from the sensors and the live actor. */
export const BREAKER_TRIGGERS = [
  'failures.high',
  'slow.high',
  'overload.high',
  'health.failed',
  'openElapsed',
  'probes.succeeded',
  'probe.failed',
  'halfOpenElapsed',
  ...Object.values(FORCE_TRIGGERS),
] as const;
export type BreakerTrigger = (typeof BREAKER_TRIGGERS)[number];
