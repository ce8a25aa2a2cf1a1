import { expect, test } from 'vitest';
import { fakeClock } from '../../src/testing/fake-clock.ts';

test('timers run in the order they are due, those of one instant as they were set', () => {
  const clock = fakeClock();
  const ran: string[] = [];
  for (const [name, delayMs] of [
    ['c', 30],
    ['a', 10],
    ['b', 10],
    ['later', 31],
  ] as const) {
    clock.schedule(delayMs, () => ran.push(`${name}@${clock.monotonic()}`));
  }
  clock.advance(30);
  expect(ran).toEqual(['a@10', 'b@10', 'c@30']);
  expect(clock.pending()).toBe(1);
});

test('a timer set by a timer runs within the same advance if it is due by its end', () => {
  const clock = fakeClock(1_000);
  const ran: number[] = [];
  const repeat = (): void => {
    ran.push(clock.now());
    clock.schedule(10, repeat);
  };
  clock.schedule(10, repeat);
  clock.advance(35);
  expect(ran).toEqual([1_010, 1_020, 1_030]);
  expect(clock.now()).toBe(1_035);
});

test('a cancelled timer does not run', () => {
  const clock = fakeClock();
  let ran = false;
  const cancel = clock.schedule(10, () => {
    ran = true;
  });
  cancel();
  clock.advance(10);
  expect(ran).toBe(false);
});

test('a stall makes timers late; a jump of the wall does not move them', () => {
  const clock = fakeClock(0);
  const ran: number[] = [];
  clock.schedule(10, () => ran.push(clock.monotonic()));
  clock.jumpWall(3_600_000);
  expect([clock.now(), clock.monotonic(), ran.length]).toEqual([3_600_000, 0, 0]);
  clock.stall(500);
  clock.advance(0);
  expect(ran).toEqual([500]);
});

test('runAll runs what is set until nothing is left, and says when that never ends', () => {
  const clock = fakeClock();
  clock.schedule(2 ** 40, () => void clock.schedule(5, () => undefined));
  clock.runAll();
  expect(clock.monotonic()).toBe(2 ** 40 + 5);
  const repeat = (): void => void clock.schedule(1, repeat);
  repeat();
  expect(() => clock.runAll(100)).toThrow('after 100 have run');
});

test('advanceAsync lets promises settle between timers', async () => {
  const clock = fakeClock();
  const ran: string[] = [];
  clock.schedule(1, () => void Promise.resolve().then(() => ran.push('promise of the first')));
  clock.schedule(2, () => ran.push('second'));
  await clock.advanceAsync(2);
  expect(ran).toEqual(['promise of the first', 'second']);
});

test('a delay that is no number is refused', () => {
  expect(() => fakeClock().schedule(Number.NaN, () => undefined)).toThrow('delayMs is NaN; allowed: a number from 0');
});
