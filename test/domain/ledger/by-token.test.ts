import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByToken } from '../../../src/domain/ledger/by-token.ts';

/** A token of some pages, and whether a value comes to it or goes. */
const steps = fc.array(fc.tuple(fc.nat(4_000), fc.boolean()), { maxLength: 3_000, size: 'max' });

describe('values by token', () => {
  it('are those of a map, whatever comes and goes', () => {
    const property = fc.property(steps, (drawn) => {
      const [values, map] = [new ByToken<number>(), new Map<number, number>()];
      const wrong: number[] = [];
      for (const [i, [token, comes]] of drawn.entries()) {
        if (comes) {
          values.set(token, i);
          map.set(token, i);
        } else if (values.delete(token) !== map.delete(token)) wrong.push(token);
        if (values.get(token) !== map.get(token) || values.size !== map.size) wrong.push(token);
      }
      for (let token = 0; token <= 4_000; token++) if (values.get(token) !== map.get(token)) wrong.push(token);
      expect(wrong).toEqual([]);
      expect([...values.values()].sort()).toEqual([...map.values()].sort());
    });
    fc.assert(property, { numRuns: 100 });
  });

  it('are not moved when there come more, and some of one page at most when they go', () => {
    const values = new ByToken<number>();
    for (let token = 1; token <= 100_000; token++) values.set(token, token);
    expect(values.moved).toBe(0);
    let most = 0;
    for (let token = 1; token <= 100_000; token++) {
      if (token % 100 === 0) continue; // outlives its page
      const before = values.moved;
      values.delete(token);
      most = Math.max(most, values.moved - before);
    }
    expect(most).toBeLessThanOrEqual(32);
    expect([values.size, values.get(100), values.get(101)]).toEqual([1_000, 100, undefined]);
  });
});
