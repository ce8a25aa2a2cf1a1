import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { guardDetector } from '../../src/detection/guard.ts';
import type { ResourceDetector, ResourceIssue, SystemResources } from '../../src/model/interfaces.ts';

type Use = SystemResources['resources'][string];
const GOOD: Use = { total: 100, used: 40, available: 60 };

/** A user's detector that gives whatever `answer` gives. */
function userDetector(answer: () => Partial<SystemResources>): ResourceDetector {
  return {
    getCurrentResources: () => ({
      at: 1000,
      hostId: 'h',
      source: 'detected',
      containerLimited: false,
      resources: { memory: GOOD },
      ...answer(),
    }),
    getAvailability: () => ({ at: 1000, stale: false, available: { memory: 60 }, constrained: ['memory'] }),
  };
}

function guarded(answers: (() => Partial<SystemResources>)[]) {
  const issues: ResourceIssue[] = [];
  let calls = 0;
  const detector = userDetector(() => answers[Math.min(calls++, answers.length - 1)]!());
  const guard = guardDetector(detector, { staleAfterMs: 500, now: () => 1200, onAlert: (issue) => issues.push(issue) });
  return { guard, issues };
}

const withMemory = (memory: unknown) => () => ({ resources: { memory: memory as Use } });

describe('a sample that cannot be true leaves the last good one standing', () => {
  test.each<[string, () => Partial<SystemResources>]>([
    [
      'a throw',
      () => {
        throw new Error('gone');
      },
    ],
    ['NaN', withMemory({ ...GOOD, total: Number.NaN })],
    ['infinity', withMemory({ ...GOOD, total: Number.POSITIVE_INFINITY })],
    ['a negative amount', withMemory({ ...GOOD, used: -1 })],
    ['a fraction', withMemory({ ...GOOD, available: 0.5 })],
    ['zero capacity', withMemory({ total: 0, used: 0, available: 0 })],
    ['more available than there is', withMemory({ ...GOOD, available: 101 })],
    ['nothing', withMemory(null)],
    ['a missing dimension', () => ({ resources: {} })],
    ['no resources', () => ({ resources: null as never })],
    ['an old sample', () => ({ at: 699 })],
    ['no instant', () => ({ at: Number.NaN })],
  ])('%s', (_, bad) => {
    const { guard, issues } = guarded([() => ({}), bad]);
    guard.getCurrentResources();
    expect(guard.getCurrentResources().resources).toEqual({ memory: GOOD });
    expect(guard.getAvailability()).toMatchObject({ stale: true, available: { memory: 60 } });
    expect(issues.map((issue) => issue.code)).toEqual(['DETECTOR_STALE']);
  });
});

test("a good sample passes unchanged, with the judgement of the user's detector", () => {
  const { guard, issues } = guarded([() => ({})]);
  expect(guard.getAvailability()).toEqual({
    at: 1000,
    stale: false,
    available: { memory: 60 },
    constrained: ['memory'],
  });
  expect(issues).toEqual([]);
});

test('a detector that has never given a good sample throws its own error', () => {
  const { guard } = guarded([
    () => {
      throw new Error('no such machine');
    },
  ]);
  expect(() => guard.getCurrentResources()).toThrow('no such machine');
  expect(() => guarded([withMemory({ total: -1 })]).guard.getCurrentResources()).toThrow(
    /no dimension that can be used/,
  );
});

const junk = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(undefined, null, '7'));

property.prop([fc.array(fc.record({ total: junk, used: junk, available: junk }), { maxLength: 20 })])(
  'whatever a detector gives, totals stay positive safe integers',
  (uses) => {
    const { guard } = guarded([() => ({}), ...uses.map(withMemory)]);
    for (let look = 0; look <= uses.length; look += 1) {
      const { total, used, available } = guard.getCurrentResources().resources['memory']!;
      expect(Number.isSafeInteger(total) && total > 0 && used >= 0 && available >= 0 && available <= total).toBe(true);
    }
  },
);
