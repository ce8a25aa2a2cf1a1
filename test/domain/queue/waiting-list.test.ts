import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dimensions } from '../../../src/domain/dimensions.ts';
import { leastOf } from '../../../src/domain/queue/least.ts';
import { compareBy, WaitingList } from '../../../src/domain/queue/waiting-list.ts';
import type { WaitingRecord } from '../../../src/domain/queue/waiting-record.ts';
import { rulesOf } from '../../../src/domain/tier-rules.ts';
import { DEFAULT_POOL_CONFIG } from '../../../src/model/config/config.ts';
import { request } from '../spec.ts';

const CLASSES = ['critical', 'high', 'normal', 'low'];
const rulesWith = (ageingMs: number) => {
  const [tier] = DEFAULT_POOL_CONFIG.tiers;
  return rulesOf({ ...DEFAULT_POOL_CONFIG, tiers: [{ ...tier!, queue: { ...tier!.queue, ageingMs } }] }, tier!.name);
};

/** Of each waiter its class, when it came (several at one instant), what it wants; and whether it goes again. */
const waiters = fc.array(
  fc.record({ of: fc.nat(3), queuedAt: fc.nat(40), cpu: fc.integer({ min: 1, max: 9 }), goes: fc.boolean() }),
  { maxLength: 200, size: 'max' },
);

describe('a list of who waits', () => {
  it('is in the order of the ranks, by whatever rules it goes on under', () => {
    const property = fc.property(
      waiters,
      fc.constantFrom(1, 7, 1_000),
      fc.constantFrom(1, 7, 1_000),
      (drawn, first, then) => {
        const numbered = new Dimensions();
        const records = drawn.map(({ of, queuedAt, cpu }, i) => {
          const asked = request(`r${i}`, { amounts: { cpu }, waitMs: 1 });
          return {
            leaseId: `l${1_000 + i}`,
            priority: CLASSES[of],
            queuedAt: queuedAt * 100,
            request: asked,
          } as WaitingRecord;
        });
        const before = new WaitingList(rulesWith(first), numbered);
        for (const record of records) before.put('came', record, undefined);
        const rules = rulesWith(then);
        const list = before.under(rules);
        for (const [i, record] of records.entries()) if (drawn[i]!.goes) list.put('went', record, undefined);
        const left = records.filter((_, i) => !drawn[i]!.goes).sort((a, b) => compareBy(rules, a, b));

        const ids = (those: Iterable<WaitingRecord>) => [...those].map(({ leaseId }) => leaseId);
        expect(ids(list)).toEqual(ids(left));
        expect(ids(WaitingList.of(rules, numbered, left.toReversed()))).toEqual(ids(left));
        expect(list.length).toBe(left.length);
        expect(records.map((record) => list.includes(record))).toEqual(drawn.map(({ goes }) => !goes));
        expect(left.map((record) => list.placeOf(record))).toEqual(left.map((_, place) => place));
        for (const place of [0, 1, left.length >> 1, left.length]) {
          expect(ids(list.from(place))).toEqual(ids(left.slice(place)));
          const sum = left.slice(0, place).reduce((all, { request }) => all + leastOf(request)['cpu']!, 0);
          expect(list.sumsOf(place)[numbered.demand({ cpu: 1 }).dimensions[0]!] ?? 0).toBe(sum);
        }
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});
