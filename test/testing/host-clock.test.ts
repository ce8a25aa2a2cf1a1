import { expect, test } from 'vitest';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { hostClock } from '../../src/testing/host-clock.ts';

const HOUR_MS = 3_600_000;

test('the wall of one host jumps; the time of others, and monotonic time, do not', () => {
  const base = fakeClock(1_000);
  const [one, other] = [hostClock(base), hostClock(base)];
  one.jumpWall(HOUR_MS);
  base.advance(5);
  expect([one.now(), other.now(), one.monotonic()]).toEqual([HOUR_MS + 1_005, 1_005, 5]);
});

test('a frozen wall stands, may jump, and goes on from where it stood', () => {
  const base = fakeClock(1_000);
  const clock = hostClock(base);
  clock.freezeWall();
  base.advance(100);
  expect([clock.now(), clock.monotonic()]).toEqual([1_000, 100]);
  clock.jumpWall(50);
  clock.thawWall();
  base.advance(1);
  expect(clock.now()).toBe(1_051);
});

test('timers of a process that stands still run late, in their order, except those that are cancelled', () => {
  const base = fakeClock();
  const clock = hostClock(base);
  const ran: string[] = [];
  clock.schedule(10, () => ran.push('first'));
  const cancel = clock.schedule(15, () => ran.push('cancelled'));
  clock.schedule(20, () => ran.push('second'));
  clock.schedule(50, () => ran.push('in time'));
  clock.stall();
  base.advance(30);
  expect(ran).toEqual([]);
  clock.resume();
  cancel();
  base.advance(30);
  expect(ran).toEqual(['first', 'second', 'in time']);
});

test('no timer of a process that has died runs', () => {
  const base = fakeClock();
  const clock = hostClock(base);
  clock.schedule(10, () => {
    throw new Error('it ran');
  });
  clock.kill();
  base.advance(20);
});
