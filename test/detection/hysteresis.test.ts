import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { observe, startHysteresis } from '../../src/detection/hysteresis.ts';

const RULE = { hysteresisRatio: 0.05, stableSamples: 3 };

/** What is reported after each sample of memory. */
function reported(first: number, samples: readonly number[]): number[] {
  let state = startHysteresis({ memory: first });
  return samples.map((memory) => {
    state = observe(state, { memory }, RULE);
    return state.reported['memory']!;
  });
}

test.each<[string, number[], number[]]>([
  ['noise within the ratio', [1049, 951, 1050, 950, 1000], [1000, 1000, 1000, 1000, 1000]],
  ['a fall that stays', [800, 800, 800, 800], [1000, 1000, 800, 800]],
  ['a rise that stays', [1200, 1200, 1200], [1000, 1000, 1200]],
  ['a dip that goes away', [500, 500, 1000, 500, 500, 1000], [1000, 1000, 1000, 1000, 1000, 1000]],
  ['a flap to both sides', [500, 2000, 500, 2000, 500, 2000], [1000, 1000, 1000, 1000, 1000, 1000]],
  ['a wavering fall is reported at its lowest', [900, 700, 800], [1000, 1000, 700]],
  ['a wavering rise is reported at its lowest', [1300, 1100, 1200], [1000, 1000, 1100]],
])('%s', (_, samples, expected) => {
  expect(reported(1000, samples)).toEqual(expected);
});

test('a new dimension is reported once it has stayed, a missing one keeps what is reported', () => {
  let state = startHysteresis({ memory: 1000 });
  for (const sample of [{ gpu: 2000 }, { gpu: 2000 }]) state = observe(state, sample, RULE);
  expect([state.changed, state.reported]).toEqual([false, { memory: 1000 }]);
  state = observe(state, { gpu: 2000 }, RULE);
  expect([state.changed, state.reported]).toEqual([true, { memory: 1000, gpu: 2000 }]);
});

test('dimensions do not wait for each other', () => {
  let state = startHysteresis({ a: 100, b: 100 });
  for (const b of [100, 50, 100]) state = observe(state, { a: 50, b }, RULE);
  expect(state.reported).toEqual({ a: 50, b: 100 });
});

property.prop([fc.array(fc.integer({ min: 950, max: 1050 }), { maxLength: 100 })])(
  'noise within the ratio resizes nothing',
  (samples) => {
    expect(new Set(reported(1000, samples)).size).toBeLessThanOrEqual(1);
  },
);

property.prop([fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 1e9 })])(
  'what stays is reported within the ratio after stableSamples',
  (first, level) => {
    const last = reported(first, [level, level, level]).at(-1)!;
    expect(Math.abs(level - last)).toBeLessThanOrEqual(last * RULE.hysteresisRatio);
  },
);
