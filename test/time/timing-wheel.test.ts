import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_TICK, TimingWheel } from '../../src/time/timing-wheel.ts';

interface Entry {
  readonly name: number;
  readonly dueTick: number;
}

/** The wheel as anyone would write it: a list, sorted when asked. */
class NaiveWheel {
  entries: Entry[] = [];
  now = 0;

  insert(name: number, dueTick: number): void {
    this.entries.push({ name, dueTick: Math.max(dueTick, this.now) });
  }

  cancel(name: number): void {
    this.entries = this.entries.filter((entry) => entry.name !== name);
  }

  expire(tick: number, max: number): number[] {
    const due = this.entries.filter((entry) => entry.dueTick <= tick).sort((a, b) => a.dueTick - b.dueTick);
    const given = due.slice(0, max);
    for (const { name } of given) this.cancel(name);
    this.now = given.length < max ? Math.max(this.now, tick) : Math.max(this.now, given.at(-1)?.dueTick ?? 0);
    return given.map(({ name }) => name);
  }
}

/** Near ones, those at the borders of levels, and very far ones. */
const distance = fc.oneof(
  fc.nat(200),
  fc.nat(300_000),
  fc.integer({ min: 1, max: 6 }).chain((level) => fc.integer({ min: -2, max: 2 }).map((off) => 64 ** level + off)),
  fc.integer({ min: 0, max: 2 ** 40 }),
);
const step = fc.oneof(
  { weight: 5, arbitrary: distance.map((ticks) => ({ kind: 'insert' as const, ticks })) },
  { weight: 2, arbitrary: fc.nat().map((pick) => ({ kind: 'cancel' as const, pick })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.oneof(distance, fc.nat(50)), fc.integer({ min: 1, max: 8 }))
      .map(([ticks, max]) => ({ kind: 'expire' as const, ticks, max })),
  },
);

test('the wheel gives what a sorted list gives, in the same order', () => {
  let given = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }), (steps) => {
      const wheel = new TimingWheel(1);
      const naive = new NaiveWheel();
      const names = new Map<number, number>(); // by handle
      let now = 0;
      let count = 0;
      for (const next of steps) {
        if (next.kind === 'insert') {
          const dueTick = Math.min(now + next.ticks, MAX_TICK);
          naive.insert(count, dueTick);
          names.set(wheel.insert(dueTick), count++);
        } else if (next.kind === 'cancel' && names.size > 0) {
          const [handle, name] = [...names][next.pick % names.size]!;
          wheel.cancel(handle);
          naive.cancel(name);
          names.delete(handle);
        } else if (next.kind === 'expire') {
          now = Math.min(now + next.ticks, MAX_TICK);
          const got: number[] = [];
          const answered = wheel.expire(now, next.max, (handle) => {
            got.push(names.get(handle)!);
            names.delete(handle);
          });
          expect(got).toEqual(naive.expire(now, next.max));
          expect(answered).toBe(got.length);
          given += got.length;
        }
        expect(wheel.size).toBe(naive.entries.length);
        const first = Math.min(...naive.entries.map((entry) => entry.dueTick));
        expect(wheel.nextTick()).toBeLessThanOrEqual(first);
        expect(wheel.nextTick() === Number.POSITIVE_INFINITY).toBe(wheel.size === 0);
      }
    }),
    { numRuns: 300 },
  );
  expect(given).toBeGreaterThan(1_000);
});

test('the next tick comes nearer until the entry is due: no more wakes than there are levels', () => {
  const wheel = new TimingWheel();
  const dueTick = 64 ** 6 * 3 + 64 ** 3 * 5 + 7;
  wheel.insert(dueTick);
  const wakes: number[] = [];
  for (let given = 0; given === 0; ) {
    const next = wheel.nextTick();
    wakes.push(next);
    given = wheel.expire(next, 1, () => undefined);
  }
  expect(wakes.at(-1)).toBe(dueTick);
  expect(wakes.length).toBeLessThanOrEqual(7);
});

test('handles are used again, so that it grows no larger than what it held at once', () => {
  const wheel = new TimingWheel(4);
  const handles = new Set<number>();
  for (let tick = 0; tick < 1_000; tick++) {
    const [first, second] = [wheel.insert(tick + 1), wheel.insert(tick + 100_000)];
    handles.add(first).add(second);
    wheel.cancel(second);
    wheel.expire(tick + 1, 10, () => undefined);
  }
  expect(handles.size).toBe(2);
});

test('a tick that is no number or beyond the range is refused', () => {
  const wheel = new TimingWheel();
  expect(() => wheel.insert(Number.NaN)).toThrow('dueTick is NaN');
  expect(() => wheel.insert(MAX_TICK + 1)).toThrow(`allowed: up to ${MAX_TICK}`);
  expect(wheel.size).toBe(0);
  wheel.insert(MAX_TICK);
  expect(wheel.expire(MAX_TICK, 10, () => undefined)).toBe(1);
});
