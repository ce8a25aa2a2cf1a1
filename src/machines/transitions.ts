import { initialTransition, transition } from 'xstate';
import {
  ADMISSION_MODES,
  type AdmissionMode,
  BREAKER_MODES,
  BREAKER_TRIGGERS,
  type BreakerMode,
  type BreakerTrigger,
  LOAD_MODES,
  type LoadMode,
  TIER_TRIGGERS,
  type TierMode,
  type TierTrigger,
} from '../model/modes.ts';
import { breakerMachine } from './breaker.machine.ts';
import { tierMachine } from './tier.machine.ts';

/**
 * The machines as tables: XState's own `transition` is asked once, at load, for every mode and trigger, and a look-up
 * answers ever after. No other code names a target mode.
 */
type Edges<Trigger extends string, Mode> = { readonly [T in Trigger]?: Mode };
type ByAdmissionAndLoad<T> = Readonly<Record<AdmissionMode, Readonly<Record<LoadMode, T>>>>;

/** A record over fixed names that has no prototype, so that no name but its own is found in it. */
const record = <K extends string, V>(keys: readonly K[], make: (key: K) => V): Record<K, V> =>
  Object.assign(Object.create(null), Object.fromEntries(keys.map((key) => [key, make(key)])));

const byAdmissionAndLoad = <T>(make: (admission: AdmissionMode, load: LoadMode) => T): ByAdmissionAndLoad<T> =>
  record(ADMISSION_MODES, (admission) => record(LOAD_MODES, (load) => make(admission, load)));

const TIER_MODES = byAdmissionAndLoad<TierMode>((admission, load) => Object.freeze({ admission, load }));

/** The one object that stands for this pair: modes from the table are compared by identity. */
export const tierMode = (admission: AdmissionMode, load: LoadMode): TierMode => TIER_MODES[admission][load];

export const TIER_INITIAL: TierMode = tierMode('open', 'normal');
export const BREAKER_INITIAL: BreakerMode = 'closed';

function tierEdges(mode: TierMode): Edges<TierTrigger, TierMode> {
  const [snapshot] = initialTransition(tierMachine, { mode, deadlineAt: null });
  const edges: { [T in TierTrigger]?: TierMode } = Object.create(null);
  for (const type of TIER_TRIGGERS) {
    const event = { type, deadlineAt: null };
    if (!snapshot.can(event)) continue;
    const [next] = transition(tierMachine, snapshot, event);
    const { admission, load } = next.value as TierMode;
    edges[type] = tierMode(admission, load);
  }
  return edges;
}

function breakerEdges(mode: BreakerMode): Edges<BreakerTrigger, BreakerMode> {
  const [snapshot] = initialTransition(breakerMachine, { mode, until: null, generation: 0 });
  const edges: { [T in BreakerTrigger]?: BreakerMode } = Object.create(null);
  for (const type of BREAKER_TRIGGERS) {
    const event = { type, until: null, generation: 0 };
    if (snapshot.can(event)) edges[type] = transition(breakerMachine, snapshot, event)[0].value as BreakerMode;
  }
  return edges;
}

const TIER_TABLE = byAdmissionAndLoad((admission, load) => tierEdges(tierMode(admission, load)));
const BREAKER_TABLE: Readonly<Record<BreakerMode, Edges<BreakerTrigger, BreakerMode>>> = record(
  BREAKER_MODES,
  breakerEdges,
);

/** Where the trigger leads; undefined = no edge. The answer is the shared object of its pair. */
export const nextTierMode = (mode: TierMode, trigger: TierTrigger): TierMode | undefined =>
  TIER_TABLE[mode.admission][mode.load][trigger];

/** Where the trigger leads; undefined = no edge. */
export const nextBreakerMode = (mode: BreakerMode, trigger: BreakerTrigger): BreakerMode | undefined =>
  BREAKER_TABLE[mode][trigger];
