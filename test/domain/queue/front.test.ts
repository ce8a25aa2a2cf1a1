import fc from 'fast-check';
import { expect, it } from 'vitest';
import { frontOf, LOOKED_AT } from '../../../src/domain/queue/front.ts';
import { ONE_TIER, Spec } from '../spec.ts';

const QUEUE = { maxLength: 1_000, maxWaitMs: 3_600_000, ageingMs: 10 };
const COUNT = LOOKED_AT + 40;
const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;

const steps = fc.array(
  fc.record({ cancel: fc.nat(COUNT), come: fc.integer({ min: 0, max: 3 }), class: fc.constantFrom(...PRIORITIES) }),
  { minLength: 1, maxLength: 60 },
);

it('the front that follows the changes of a queue is the one that is looked at anew', () => {
  const property = fc.property(steps, fc.integer({ min: 1, max: 5 }), (all, every) => {
    const pool = new Spec({ tiers: [{ ...ONE_TIER.tiers[0], queue: QUEUE }] });
    pool.granted('all', { cpu: 10_000 });
    let named = 0;
    const come = (priority: (typeof PRIORITIES)[number]) => {
      pool.now += 1;
      pool.queued(`w${named++}`, { cpu: 1 + (named % 3) }, { priority });
    };
    for (let n = 0; n < COUNT; n++) come(PRIORITIES[n % 3]!);
    const front = () => frontOf(pool.state, pool.state.tiers[0]!);
    front();
    for (const [n, step] of all.entries()) {
      const waiting = [...pool.state.waiting.values()];
      const chosen = waiting[step.cancel % waiting.length]!;
      pool.when('Cancel', { requestId: chosen.request.id });
      for (let i = 0; i < step.come; i++) come(step.class);
      if (n % every > 0) continue;
      const [tier] = pool.state.tiers;
      const anew = frontOf(pool.state, { ...tier!, waiting: tier!.waiting.copy() });
      expect(front().waiters.map(({ leaseId }) => leaseId)).toEqual(anew.waiters.map(({ leaseId }) => leaseId));
      expect(front().alike).toEqual(anew.alike);
    }
  });
  fc.assert(property, { numRuns: 25 });
});
