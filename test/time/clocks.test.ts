import { interval, Subject, take, timeout, timer, toArray } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { clockScheduler } from '../../src/time/clock-scheduler.ts';
import { systemClock } from '../../src/time/system-clock.ts';

describe('RxJS over the model clock', () => {
  test('timer and interval tick on it, and leave no timer behind', () => {
    const clock = fakeClock();
    const scheduler = clockScheduler(clock);
    const ticks: string[] = [];
    timer(100, scheduler).subscribe(() => ticks.push(`timer@${clock.monotonic()}`));
    interval(40, scheduler)
      .pipe(take(3))
      .subscribe(() => ticks.push(`interval@${clock.monotonic()}`));
    clock.advance(1_000);
    expect(ticks).toEqual(['interval@40', 'interval@80', 'timer@100', 'interval@120']);
    expect(clock.pending()).toBe(0);
  });

  test('unsubscribing cancels the timer', () => {
    const clock = fakeClock();
    const subscription = interval(10, clockScheduler(clock)).subscribe();
    expect(clock.pending()).toBe(1);
    subscription.unsubscribe();
    expect(clock.pending()).toBe(0);
  });

  test('a time-out counts again with each value', () => {
    const clock = fakeClock();
    const values$ = new Subject<number>();
    let error: unknown;
    values$.pipe(timeout({ each: 50, scheduler: clockScheduler(clock) }), toArray()).subscribe({
      error: (thrown: unknown) => {
        error = thrown;
      },
    });
    clock.advance(40);
    values$.next(1);
    clock.advance(40);
    expect(error).toBeUndefined();
    clock.advance(10);
    expect(String(error)).toContain('Timeout');
  });

  test('now is the wall clock', () => {
    expect(clockScheduler(fakeClock(1_234)).now()).toBe(1_234);
  });
});

describe('the system clock', () => {
  test('tells integer wall time and monotonic time, and runs what is scheduled once', async () => {
    expect(Number.isInteger(systemClock.now())).toBe(true);
    const before = systemClock.monotonic();
    let ran = 0;
    await new Promise<void>((resolve) => {
      systemClock.schedule(5, () => {
        ran++;
        resolve();
      });
      setTimeout(() => undefined, 20); // its own timers keep no process alive
    });
    expect(ran).toBe(1);
    expect(systemClock.monotonic()).toBeGreaterThan(before);
  });

  test('a delay that no timer can hold is waited in legs, and can be cancelled', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const delayMs = 2 ** 31 * 3 + 7;
      const ran: number[] = [];
      const startMs = performance.now();
      systemClock.schedule(delayMs, () => ran.push(performance.now() - startMs));
      const cancel = systemClock.schedule(delayMs, () => ran.push(-1));
      vi.advanceTimersByTime(delayMs - 1);
      expect(ran).toEqual([]);
      cancel();
      vi.advanceTimersByTime(1);
      expect(ran).toEqual([delayMs]);
    } finally {
      vi.useRealTimers();
    }
  });
});
