import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { watchHealth } from '../../../src/manager/feeds/health.ts';
import type { HealthMonitor, HealthStatus } from '../../../src/model/interfaces.ts';

const HEALTHY: HealthStatus = { healthy: true, at: 1, checks: [] };

/** A user's monitor that answers in these ways, one after the other, and then healthy. */
function userMonitor(answers: (() => Promise<HealthStatus>)[]) {
  let calls = 0;
  const monitor: HealthMonitor = {
    checkResourceHealth: () => (answers[calls++] ?? (() => Promise.resolve(HEALTHY)))(),
    reportResourceMetrics: () => undefined,
    alertResourceIssue: () => undefined,
  };
  return { monitor, calls: () => calls };
}

/** Moves virtual time on in steps, letting promises settle between them. */
async function advance(scheduler: VirtualTimeScheduler, untilMs: number): Promise<void> {
  for (let ms = scheduler.frame; ms <= untilMs; ms += 10) {
    scheduler.maxFrames = ms;
    scheduler.flush();
    await new Promise(setImmediate);
  }
}

async function watch(answers: (() => Promise<HealthStatus>)[], untilMs: number) {
  const scheduler = new VirtualTimeScheduler();
  const { monitor, calls } = userMonitor(answers);
  const seen: HealthStatus[] = [];
  let ended = false;
  const subscription = watchHealth(monitor, { intervalMs: 100, timeoutMs: 50, scheduler }).subscribe({
    next: (status) => seen.push(status),
    error: () => {
      ended = true;
    },
    complete: () => {
      ended = true;
    },
  });
  await advance(scheduler, untilMs);
  subscription.unsubscribe();
  return { seen, ended, calls: calls() };
}

test('a user-written monitor is asked at once and at each interval', async () => {
  const { seen, calls } = await watch([], 250);
  expect([seen, calls]).toEqual([[HEALTHY, HEALTHY, HEALTHY], 3]);
});

describe('a monitor that fails is an unhealthy status, and the next check comes', () => {
  test.each<[string, () => Promise<HealthStatus>, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
      /^broken$/,
    ],
    ['rejects', () => Promise.reject(new Error('refused')), /^refused$/],
    ['hangs', () => new Promise(() => undefined), /gave no answer in 50 ms/],
    ['answers nothing', () => Promise.resolve(undefined as never), /no HealthStatus: undefined/],
    ['answers nonsense', () => Promise.resolve({ healthy: 1 } as never), /no HealthStatus: {"healthy":1}/],
  ])('%s', async (_, answer, message) => {
    const { seen, ended } = await watch([answer], 190);
    expect(seen.map((status) => status.healthy)).toEqual([false, true]);
    expect(seen[0]?.checks[0]).toMatchObject({
      name: 'health-monitor',
      healthy: false,
      message: expect.stringMatching(message),
    });
    expect(ended).toBe(false);
  });
});

test('a slow check is not asked again before it has answered', async () => {
  const scheduler = new VirtualTimeScheduler();
  const { monitor, calls } = userMonitor([() => new Promise(() => undefined)]);
  const subscription = watchHealth(monitor, { intervalMs: 100, timeoutMs: 350, scheduler }).subscribe();
  await advance(scheduler, 340);
  expect(calls()).toBe(1);
  await advance(scheduler, 460);
  expect(calls()).toBe(2);
  subscription.unsubscribe();
});
