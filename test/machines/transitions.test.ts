import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, initialTransition, type StateNode, transition } from 'xstate';
import { breakerMachine } from '../../src/machines/breaker.machine.ts';
import { tierMachine } from '../../src/machines/tier.machine.ts';
import {
  BREAKER_INITIAL,
  nextBreakerMode,
  nextTierMode,
  TIER_INITIAL,
  tierMode,
} from '../../src/machines/transitions.ts';
import { ADMISSION_MODES, BREAKER_MODES, BREAKER_TRIGGERS, LOAD_MODES, TIER_TRIGGERS } from '../../src/model/modes.ts';

const TIER_MODES = ADMISSION_MODES.flatMap((admission) => LOAD_MODES.map((load) => tierMode(admission, load)));
const tierPairs = TIER_MODES.flatMap((mode) => TIER_TRIGGERS.map((trigger) => ({ mode, trigger })));
const breakerPairs = BREAKER_MODES.flatMap((mode) => BREAKER_TRIGGERS.map((trigger) => ({ mode, trigger })));

describe('the table is what XState says', () => {
  test.each(tierPairs)('tier $mode.admission/$mode.load on $trigger', ({ mode, trigger }) => {
    const [before] = initialTransition(tierMachine, { mode, deadlineAt: null });
    const [after] = transition(tierMachine, before, { type: trigger, deadlineAt: null });
    expect(before.value).toEqual(mode);
    expect(nextTierMode(mode, trigger) ?? mode).toEqual(after.value);
    expect(nextTierMode(mode, trigger) !== undefined).toBe(before.can({ type: trigger, deadlineAt: null }));
  });

  test.each(breakerPairs)('breaker $mode on $trigger', ({ mode, trigger }) => {
    const [before] = initialTransition(breakerMachine, { mode, until: null, generation: 0 });
    const event = { type: trigger, until: null, generation: 0 };
    const [after] = transition(breakerMachine, before, event);
    expect(before.value).toBe(mode);
    expect(nextBreakerMode(mode, trigger) ?? mode).toBe(after.value);
    expect(nextBreakerMode(mode, trigger) !== undefined).toBe(before.can(event));
  });
});

/** Written by hand from the design, so that a slip in a machine is not its own witness. `|` divides alternatives. */
const ADMISSION_EDGES = `
  open                        cordon                     cordoned
  cordoned|draining|drained   uncordon                   open
  open|cordoned               drain                      draining
  draining                    emptied|drain.deadline     drained`;
const LOAD_EDGES = `
  normal|saturated            usage.high                 pressured
  normal|pressured            usage.full                 saturated
  pressured|saturated         usage.low                  normal
  normal|pressured|saturated  over                       overcommitted
  overcommitted               over.ended                 normal`;
const BREAKER_EDGES = `
  closed|halfOpen             failures.high|slow.high|overload.high|health.failed   open
  open                        openElapsed                                           halfOpen
  halfOpen                    probes.succeeded                                      closed
  halfOpen                    probe.failed|halfOpenElapsed                          open
  open|halfOpen|forcedOpen|disabled|metricsOnly      force.closed                   closed
  closed|open|halfOpen|disabled|metricsOnly          force.open                     forcedOpen
  closed|open|halfOpen|forcedOpen|metricsOnly        force.disabled                 disabled
  closed|open|halfOpen|forcedOpen|disabled           force.metricsOnly              metricsOnly`;

const edgesIn = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([from, triggers, to]) =>
      from!.split('|').flatMap((mode) => triggers!.split('|').map((trigger) => `${mode} ${trigger} ${to}`)),
    )
    .sort();

describe('the edges are those of the design, and no others', () => {
  test('admission of a tier, whatever its load', () => {
    for (const load of LOAD_MODES) {
      const found = ADMISSION_MODES.flatMap((admission) =>
        TIER_TRIGGERS.map((trigger) => ({ admission, trigger, to: nextTierMode(tierMode(admission, load), trigger) }))
          .filter(({ to }) => to !== undefined && to.admission !== admission)
          .map(({ trigger, to }) => `${admission} ${trigger} ${to?.admission}`),
      );
      expect(found.sort()).toEqual(edgesIn(ADMISSION_EDGES));
    }
  });

  test('load of a tier, whatever it admits', () => {
    for (const admission of ADMISSION_MODES) {
      const found = LOAD_MODES.flatMap((load) =>
        TIER_TRIGGERS.map((trigger) => ({ trigger, to: nextTierMode(tierMode(admission, load), trigger) }))
          .filter(({ to }) => to !== undefined && to.load !== load)
          .map(({ trigger, to }) => `${load} ${trigger} ${to?.load}`),
      );
      expect(found.sort()).toEqual(edgesIn(LOAD_EDGES));
    }
  });

  test('breaker', () => {
    const found = breakerPairs
      .map(({ mode, trigger }) => ({ mode, trigger, to: nextBreakerMode(mode, trigger) }))
      .filter(({ to }) => to !== undefined)
      .map(({ mode, trigger, to }) => `${mode} ${trigger} ${to}`);
    expect(found.sort()).toEqual(edgesIn(BREAKER_EDGES));
  });
});

describe('a mode is one frozen object', () => {
  test('the table answers with the object of the pair', () => {
    const drained = nextTierMode(nextTierMode(TIER_INITIAL, 'drain')!, 'emptied');
    expect(drained).toBe(tierMode('drained', 'normal'));
    expect(Object.isFrozen(drained)).toBe(true);
  });

  test('a mode read from a log finds its edges, though it is another object', () => {
    expect(nextTierMode({ admission: 'open', load: 'normal' }, 'over')).toBe(tierMode('open', 'overcommitted'));
  });

  test('a name that every object has is no trigger', () => {
    expect(nextTierMode(TIER_INITIAL, 'constructor' as 'cordon')).toBeUndefined();
    expect(nextBreakerMode(BREAKER_INITIAL, 'toString' as 'openElapsed')).toBeUndefined();
  });
});

const statesBelow = (node: StateNode): StateNode[] =>
  Object.values(node.states).flatMap((state) => [state, ...statesBelow(state)]);
const machines: [string, AnyStateMachine][] = [
  ['tier', tierMachine],
  ['breaker', breakerMachine],
];

describe.each(machines)('the %s machine', (_name, machine) => {
  test('has no context', () => {
    expect(machine.config.context).toBeUndefined();
  });

  test('says of every state what is true in it', () => {
    const states = statesBelow(machine.root);
    expect(states.length).toBeGreaterThan(6);
    for (const state of states) expect(state.description, state.id).toMatch(/^[A-Z].{20,}\.$/);
  });
});
