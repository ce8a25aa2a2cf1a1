import { setup } from 'xstate';
import { ADMISSION_MODES, type AdmissionMode, LOAD_MODES, type LoadMode, type TierTrigger } from '../model/modes.ts';
import type { TierResume } from './resume.ts';
import { toBeProvided } from './source.ts';

/** A trigger as a committed TierModeChanged carries it. */
export type TierEvent = { [T in TierTrigger]: { readonly type: T; readonly deadlineAt: number | null } }[TierTrigger];

type TierInit = { readonly type: 'xstate.init'; readonly input: TierResume };

/** When a drain ends by force: Unix ms, null = never. */
export interface DrainDeadline {
  readonly deadlineAt: number | null;
}

/**
 * A tier's two parallel regions: whether it admits, and how loaded it is. There is no context: the guards of `resuming`
 * and the inputs of invoked sources read the event that they are entered by.
 */
export const tierMachine = setup({
  types: { input: {} as TierResume, events: {} as TierEvent | TierInit },
  actors: {
    drainDeadline: toBeProvided<DrainDeadline>('drainDeadline'),
    fasterSampling: toBeProvided<undefined>('fasterSampling'),
  },
  guards: {
    admissionWas: ({ event }, mode: AdmissionMode) =>
      event.type === 'xstate.init' && event.input.mode.admission === mode,
    loadWas: ({ event }, mode: LoadMode) => event.type === 'xstate.init' && event.input.mode.load === mode,
  },
}).createMachine({
  id: 'tier',
  type: 'parallel',
  states: {
    admission: {
      description: 'Whether the tier admits requests.',
      initial: 'resuming',
      states: {
        resuming: {
          description: 'The actor has just started and goes on to the folded mode at once.',
          always: ADMISSION_MODES.map(
            (mode) => ({ guard: { type: 'admissionWas', params: mode }, target: mode }) as const,
          ),
        },
        open: {
          description: 'The tier grants and queues requests.',
          on: { cordon: 'cordoned', drain: 'draining' },
        },
        cordoned: {
          description: 'No new request is granted or queued; live leases run on and renew.',
          on: { uncordon: 'open', drain: 'draining' },
        },
        draining: {
          description: 'Nothing is admitted, no one waits, and every lease is gone by the deadline.',
          invoke: {
            src: 'drainDeadline',
            input: ({ event }) => ({ deadlineAt: deadlineOf(event) }),
          },
          on: { emptied: 'drained', 'drain.deadline': 'drained', uncordon: 'open' },
        },
        drained: {
          description: 'The tier holds no lease and admits nothing until it is uncordoned.',
          on: { uncordon: 'open' },
        },
      },
    },
    load: {
      description: 'How much of its nominal the tier has granted.',
      initial: 'resuming',
      states: {
        resuming: {
          description: 'The actor has just started and goes on to the folded mode at once.',
          always: LOAD_MODES.map((mode) => ({ guard: { type: 'loadWas', params: mode }, target: mode }) as const),
        },
        normal: {
          description: 'What is granted lies below the pressured ratio of the nominal.',
          on: { 'usage.high': 'pressured', 'usage.full': 'saturated', over: 'overcommitted' },
        },
        pressured: {
          description: 'What is granted comes near the nominal, so that load and capacity are sampled faster.',
          invoke: { src: 'fasterSampling' },
          on: { 'usage.full': 'saturated', 'usage.low': 'normal', over: 'overcommitted' },
        },
        saturated: {
          description: 'What is granted has reached the saturated ratio of the nominal; more is borrowed or waits.',
          on: { 'usage.high': 'pressured', 'usage.low': 'normal', over: 'overcommitted' },
        },
        overcommitted: {
          description: 'Capacity fell below what is granted; nothing is admitted and nothing is revoked.',
          on: { 'over.ended': 'normal' },
        },
      },
    },
  },
});

const deadlineOf = (event: TierEvent | TierInit): number | null =>
  event.type === 'xstate.init' ? event.input.deadlineAt : event.deadlineAt;
