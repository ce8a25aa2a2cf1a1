import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLiveActors } from '../../src/machines/live/actors.ts';
import { BREAKER_TRIGGERS, TIER_TRIGGERS } from '../../src/model/modes.ts';
import { configOf, SmallLoop } from './small-loop.ts';

const TIERS = ['a', 'b', 'c'] as const;
type Act = (loop: SmallLoop) => void | Promise<void>;

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...TIERS), fc.constantFrom(...TIER_TRIGGERS), fc.integer({ min: 1, max: 4_000 }))
      .map(
        ([tier, trigger, drainMs]): Act =>
          (loop) =>
            loop.tierTrigger(tier, trigger, drainMs),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(...BREAKER_TRIGGERS).map(
      (trigger): Act =>
        (loop) =>
          loop.breakerTrigger(trigger),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 0, max: 6_000 }).map(
      (ms): Act =>
        (loop) =>
          loop.clock.advanceAsync(ms),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>((loop) => loop.restart()) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.subarray([...TIERS], { minLength: 1 }), fc.constantFrom(200, 500, 1_000)).map(
      ([tiers, sampleMs]): Act =>
        (loop) =>
          loop.configure(configOf(tiers, sampleMs)),
    ),
  },
);

const liveModes = ({ actors }: SmallLoop) => {
  const { tiers, breaker } = actors.modes();
  return { tiers: Object.fromEntries(tiers), breaker };
};
const foldedModes = ({ tiers, breaker }: SmallLoop) => ({
  tiers: Object.fromEntries([...tiers].map(([name, tier]) => [name, tier.mode])),
  breaker: breaker.mode,
});

test('the actors are in the folded modes after every committed event, over restarts and changes of configuration', async () => {
  let events = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 20, maxLength: 60, size: 'max' }), async (acts) => {
      const loop = new SmallLoop(createLiveActors, TIERS);
      const differences: unknown[] = [];
      const compare = () => {
        events++;
        const [live, folded] = [liveModes(loop), foldedModes(loop)];
        if (JSON.stringify(live) !== JSON.stringify(folded)) differences.push({ live, folded });
      };
      let leave = loop.committed.subscribe(compare);
      for (const step of acts) {
        await step(loop);
        leave();
        leave = loop.committed.subscribe(compare); // stays behind the actors, which a restart subscribes anew
      }
      expect(differences).toEqual([]);
      expect(liveModes(loop)).toEqual(foldedModes(loop));
    }),
    { numRuns: 60 },
  );
  expect(events).toBeGreaterThan(500);
});
