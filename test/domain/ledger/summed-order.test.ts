import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Demand } from '../../../src/domain/dimensions.ts';
import { SummedOrder } from '../../../src/domain/ledger/summed-order.ts';

interface Item {
  readonly key: number;
  readonly demand: Demand;
}

const NAMES = ['cpu', 'memory', 'gpu'];
const item = (key: number): Item => {
  const demand =
    key % 3 === 0 ? { dimensions: [0], amounts: [key] } : { dimensions: [0, key % 3], amounts: [1, key % 7] };
  return { key, demand: { ...demand, names: demand.dimensions.map((dimension) => NAMES[dimension]!) } };
};
const options = { compare: (a: Item, b: Item) => a.key - b.key, demandOf: ({ demand }: Item) => demand };

const sumsOf = (items: readonly Item[]): number[] =>
  [0, 1, 2].map((dimension) =>
    items.reduce((sum, { demand }) => sum + (demand.amounts[demand.dimensions.indexOf(dimension)] ?? 0), 0),
  );
const whole = (sums: readonly number[]): number[] => [0, 1, 2].map((dimension) => sums[dimension] ?? 0);

/** As the order answers, from a sorted list. */
function check(order: SummedOrder<Item>, naive: ReadonlyMap<number, Item>, probes: readonly number[]): void {
  const sorted = [...naive.values()].sort((a, b) => a.key - b.key);
  expect([...order]).toEqual(sorted);
  expect(order.size).toBe(sorted.length);
  expect(order.first).toBe(sorted[0]);
  for (const probe of probes) {
    const count = probe % (sorted.length + 1);
    expect(whole(order.sumsOf(count))).toEqual(sumsOf(sorted.slice(0, count)));
    expect(order.at(count)).toBe(sorted[count]);
    expect([...order.from(count)]).toEqual(sorted.slice(count));
    expect(order.placeOf(item(probe))).toBe(sorted.filter(({ key }) => key < probe).length);
    expect(order.has(item(probe))).toBe(naive.has(probe));
    const wanted = [probe % 5_000, probe % 300, probe % 200];
    const enough = (_: number, sums: readonly number[]) => wanted.every((want, i) => want < (sums[i] ?? 0));
    const needed = sorted.findIndex((_, i) => enough(i + 1, sumsOf(sorted.slice(0, i + 1))));
    expect(order.lastNeeded(enough)).toBe(sorted[needed]);
  }
}

const keys = fc.array(fc.nat(3_000), { maxLength: 600, size: 'max' });
const probes = fc.array(fc.nat(3_000), { minLength: 3, maxLength: 3 });

describe('a summed order answers as a sorted list does', () => {
  it('whatever came and went, rising, falling or drawn', () => {
    const property = fc.property(
      keys,
      keys,
      fc.constantFrom('drawn', 'rising', 'falling'),
      probes,
      (come, go, how, asked) => {
        if (how !== 'drawn') come.sort((a, b) => (how === 'rising' ? a - b : b - a));
        const order = new SummedOrder(options);
        const naive = new Map<number, Item>();
        for (const key of come) {
          if (naive.has(key)) continue;
          naive.set(key, item(key));
          order.insert(naive.get(key)!);
        }
        check(order, naive, asked);
        const copied = order.copy();
        const before = new Map(naive);
        for (const key of [...go, ...come.slice(0, come.length - (go[0] ?? 0))]) {
          expect(order.delete(item(key))).toBe(naive.has(key));
          naive.delete(key);
        }
        check(order, naive, asked);
        check(copied, before, asked);
        check(SummedOrder.of(options, [...order]), naive, asked);
      },
    );
    fc.assert(property, { numRuns: 60 });
  });
});
