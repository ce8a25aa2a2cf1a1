import { setup } from 'xstate';
import {
  BREAKER_MODES,
  type BreakerMode,
  type BreakerTrigger,
  FORCE_TRIGGERS,
  type ForcedMode,
} from '../model/modes.ts';
import type { BreakerResume, BreakerWait } from './resume.ts';
import { toBeProvided } from './source.ts';

/** A trigger as a committed BreakerModeChanged carries it. */
export type BreakerEvent = { [T in BreakerTrigger]: { readonly type: T } & BreakerWait }[BreakerTrigger];

type BreakerInit = { readonly type: 'xstate.init'; readonly input: BreakerResume };

type Forced = { [M in ForcedMode as (typeof FORCE_TRIGGERS)[M]]?: M };

/** A hand may set any mode but the one that stands: setting that again is no edge. */
const forcedFrom = (mode: BreakerMode): Forced =>
  Object.fromEntries(
    Object.entries(FORCE_TRIGGERS)
      .filter(([target]) => target !== mode)
      .map(([target, trigger]) => [trigger, target]),
  );

/** Half-open trips on the same signs as closed: the store or the machine may fail again before a probe does. */
const TRIPS = {
  'failures.high': 'open',
  'slow.high': 'open',
  'overload.high': 'open',
  'health.failed': 'open',
} as const;

/**
 * The circuit breaker (Nygard, "Release It!"; states and windows as in resilience4j). There is no context: the guards of
 * `resuming` and the inputs of invoked sources read the event that they are entered by.
 */
export const breakerMachine = setup({
  types: { input: {} as BreakerResume, events: {} as BreakerEvent | BreakerInit },
  actors: {
    openTime: toBeProvided<BreakerWait>('openTime'),
    halfOpenTime: toBeProvided<BreakerWait>('halfOpenTime'),
  },
  guards: {
    modeWas: ({ event }, mode: BreakerMode) => event.type === 'xstate.init' && event.input.mode === mode,
  },
}).createMachine({
  id: 'breaker',
  initial: 'resuming',
  states: {
    resuming: {
      description: 'The actor has just started and goes on to the folded mode at once.',
      always: BREAKER_MODES.map((mode) => ({ guard: { type: 'modeWas', params: mode }, target: mode }) as const),
    },
    closed: {
      description: 'Allocates pass, after a reopening in a growing share; what they meet is sampled.',
      on: { ...TRIPS, ...forcedFrom('closed') },
    },
    open: {
      description: 'No allocate passes until the open time has elapsed.',
      invoke: { src: 'openTime', input: ({ event }) => waitOf(event) },
      on: { openElapsed: 'halfOpen', ...forcedFrom('open') },
    },
    halfOpen: {
      description: 'A stated number of probes passes and decides what comes next; the other allocates are refused.',
      invoke: { src: 'halfOpenTime', input: ({ event }) => waitOf(event) },
      on: {
        'probes.succeeded': 'closed',
        'probe.failed': 'open',
        halfOpenElapsed: 'open',
        ...TRIPS,
        ...forcedFrom('halfOpen'),
      },
    },
    forcedOpen: {
      description: 'No allocate passes until a hand sets another mode.',
      on: forcedFrom('forcedOpen'),
    },
    disabled: {
      description: 'Every allocate passes and nothing is sampled until a hand sets another mode.',
      on: forcedFrom('disabled'),
    },
    metricsOnly: {
      description: 'Every allocate passes; what appends meet shows in the metrics alone, and never trips.',
      on: forcedFrom('metricsOnly'),
    },
  },
});

const waitOf = (event: BreakerEvent | BreakerInit): BreakerWait =>
  event.type === 'xstate.init' ? event.input : { until: event.until, generation: event.generation };
