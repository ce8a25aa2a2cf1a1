import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GrantOrder } from '../../../src/domain/ledger/grant-order.ts';
import type { LeaseRecord } from '../../../src/domain/ledger/lease-record.ts';

const lease = (token: number): LeaseRecord => ({ token }) as LeaseRecord;

const steps = fc.array(
  fc.record({
    what: fc.constantFrom('add', 'add', 'add', 'delete', 'deleteOldest', 'restore', 'replace'),
    count: fc.integer({ min: 1, max: 400 }),
    pick: fc.nat(10_000),
  }),
  { minLength: 5, maxLength: 40 },
);

it('leases stand in the order of their tokens, whatever comes, goes and comes back', () => {
  const property = fc.property(steps, fc.nat(3_000), (all, from) => {
    const order = new GrantOrder();
    const there = new Map<number, LeaseRecord>();
    const gone: LeaseRecord[] = [];
    let token = 0;
    for (const { what, count, pick } of all) {
      for (let n = 0; n < count; n++) {
        const tokens = [...there.keys()];
        const chosen = what === 'deleteOldest' ? Math.min(...tokens) : tokens[(pick + n * 7) % tokens.length];
        if (what === 'add') {
          token += 1 + (pick % 3);
          there.set(token, lease(token));
          order.add(there.get(token)!);
        } else if (what === 'restore') {
          const back = gone.pop();
          if (back === undefined) continue;
          there.set(back.token, back);
          order.add(back);
        } else if (tokens.length > 0 && what === 'replace') {
          there.set(chosen!, lease(chosen!));
          order.replace(there.get(chosen!)!);
        } else if (tokens.length > 0) {
          gone.push(there.get(chosen!)!);
          order.delete(there.get(chosen!)!);
          there.delete(chosen!);
        }
      }
    }
    const sorted = [...there.values()].sort((a, b) => a.token - b.token);
    const after = sorted.filter((each) => each.token > from);
    expect(order.list()).toEqual(sorted);
    expect([...order.after(from)]).toEqual(after);
    expect(order.countAfter(from)).toBe(after.length);
  });
  fc.assert(property, { numRuns: 60 });
});

it('a walk meets everyone who was there when it came, and nobody twice, whoever ends on the way', () => {
  const property = fc.property(fc.integer({ min: 1, max: 1_500 }), fc.integer({ min: 1, max: 7 }), (count, every) => {
    const order = new GrantOrder();
    for (let token = 1; token <= count; token++) order.add(lease(token));
    const met: number[] = [];
    for (const each of order.after(0)) {
      met.push(each.token);
      if (each.token % every === 0) order.delete(each);
      if (each.token % (every + 1) === 0 && each.token > 300) order.delete(lease(each.token - 300));
    }
    expect(met).toEqual(Array.from({ length: count }, (_, n) => n + 1));
  });
  fc.assert(property, { numRuns: 60 });
});
