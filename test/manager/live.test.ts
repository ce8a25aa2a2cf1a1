import { describe, expect, test } from 'vitest';
import { createLiveActors, type LiveActorsFactory } from '../../src/machines/live/actors.ts';
import type { HealthMonitor } from '../../src/model/interfaces.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import { type World, world } from './fixture.ts';

/** Actors that wait for nothing: what they are fed they follow, what they ask for is not passed on. */
const withoutWaiting: LiveActorsFactory = (options) =>
  createLiveActors({ ...options, dispatch: () => undefined, sampleFaster: () => undefined });

const CALM = { overload: { pressureRatio: 1 } };
const BREAKER = {
  minimumCalls: 1,
  openMs: 1_000,
  maxOpenMs: 1_000,
  jitterRatio: 0,
  halfOpenMs: 1_000,
  halfOpenProbes: 1,
  rampMs: 0,
};

/** A health monitor that says what `health.healthy` says. */
function sickly(clock: FakeClock, health: { healthy: boolean }): HealthMonitor {
  return {
    checkResourceHealth: async () => ({ ...health, at: clock.now(), checks: [{ name: 'disk', ...health }] }),
    reportResourceMetrics: () => undefined,
    alertResourceIssue: () => undefined,
  };
}

async function breakerAfterItsTime(liveActors: LiveActorsFactory): Promise<string> {
  const clock = fakeClock();
  const health = { healthy: false };
  const { manager } = world({
    clock,
    config: { ...CALM, breaker: BREAKER },
    tuning: { liveActors, healthIntervalMs: 200 },
    options: { healthMonitor: sickly(clock, health) },
  });
  await manager.ready();
  await clock.advanceAsync(100);
  health.healthy = true;
  expect((await manager.getPool()).breaker.mode).toBe('open');
  await clock.advanceAsync(1_500);
  const { mode } = (await manager.getPool()).breaker;
  await manager.dispose();
  return mode;
}

async function drainedAtItsDeadline(liveActors: LiveActorsFactory): Promise<{ admission: string; lease: string }> {
  const { manager, clock } = world({ tuning: { liveActors } });
  const lease = await manager.allocate({ requirements: { memory: 10 } });
  await manager.drainTier('all', { deadlineMs: 5_000 });
  await clock.advanceAsync(4_900);
  expect((await manager.getPool()).tiers[0]?.admission).toBe('draining');
  await clock.advanceAsync(200);
  const { admission } = (await manager.getPool()).tiers[0]!;
  const { state } = lease;
  await manager.dispose();
  return { admission, lease: state };
}

/** Looks at the machine within ten seconds, while one tier is 90 % full. */
async function looksWhilePressured(liveActors: LiveActorsFactory): Promise<number> {
  let looks = 0;
  const fixture: World = world({
    config: { ...CALM, detection: { sampleIntervalMs: 5_000 }, load: { sampleMs: 500, dwellMs: 0 } },
    tuning: { liveActors },
  });
  const { manager, clock } = fixture;
  await manager.allocate({ requirements: { memory: 90 } });
  expect((await manager.getPool()).tiers[0]?.load).toBe('pressured');
  const detector = fixture.detector;
  const look = detector.getCurrentResources.bind(detector);
  detector.getCurrentResources = () => {
    looks += 1;
    return look();
  };
  await clock.advanceAsync(10_000);
  await manager.dispose();
  return looks;
}

describe('the live actors own all waiting', () => {
  test('the breaker leaves `open`, and without actors it never does', async () => {
    expect(await breakerAfterItsTime(createLiveActors)).toBe('halfOpen');
    expect(await breakerAfterItsTime(withoutWaiting)).toBe('open');
  });

  test('a drain ends at its deadline, and without actors it never does', async () => {
    expect(await drainedAtItsDeadline(createLiveActors)).toEqual({ admission: 'drained', lease: 'reclaimed' });
    expect(await drainedAtItsDeadline(withoutWaiting)).toEqual({ admission: 'draining', lease: 'active' });
  });

  test('a pressured tier samples faster, and without actors it does not', async () => {
    expect(await looksWhilePressured(createLiveActors)).toBeGreaterThan(15);
    expect(await looksWhilePressured(withoutWaiting)).toBeLessThan(10);
  });
});

describe('the breaker', () => {
  test('recovers through half-open by a probe that succeeds', async () => {
    const { manager, clock } = world({ config: { ...CALM, breaker: BREAKER } });
    await manager.setBreaker('forcedOpen');
    const refused = await manager.tryAllocate({ requirements: { memory: 1 } });
    expect(refused).toMatchObject({ refused: { code: 'BREAKER_OPEN' } });
    await manager.setBreaker('closed');
    expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBe(1);
    await clock.advanceAsync(10);
    await manager.dispose();
  });

  test('that is open lets release, renew and cancel pass', async () => {
    const { manager } = world({ config: CALM });
    const lease = await manager.allocate({ requirements: { memory: 80 } });
    const waiting = manager
      .allocate({ id: 'w', requirements: { memory: 50 }, waitMs: 1_000 })
      .catch((error) => error.code);
    await manager.setBreaker('forcedOpen');
    await lease.renew();
    await manager.cancel('w');
    expect(await waiting).toBe('CANCELLED');
    await lease.release();
    expect(lease.state).toBe('released');
    await manager.dispose();
  });

  test('cannot be set by hand to what only time leads to', async () => {
    const { manager } = world({ config: CALM });
    await expect(manager.setBreaker('halfOpen')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await manager.dispose();
  });

  test('opens on failed health checks, lets exactly its probes through half-open, and closes by them', async () => {
    const clock = fakeClock();
    const health = { healthy: true };
    const { manager } = world({
      clock,
      config: { ...CALM, breaker: { ...BREAKER, halfOpenProbes: 3, halfOpenMs: 60_000 } },
      tuning: { healthIntervalMs: 200 },
      options: { healthMonitor: sickly(clock, health) },
    });
    const mode = async () => (await manager.getPool()).breaker.mode;
    const ask = () => manager.tryAllocate({ requirements: { memory: 1 } });
    await manager.ready();
    expect(await mode()).toBe('closed');
    health.healthy = false;
    await clock.advanceAsync(300);
    expect([await mode(), (await ask()) as object]).toMatchObject(['open', { refused: { code: 'BREAKER_OPEN' } }]);
    health.healthy = true;
    await clock.advanceAsync(1_200);
    expect(await mode()).toBe('halfOpen');
    expect(await manager.tryAllocate({ requirements: { memory: 200 } })).toMatchObject({
      refused: { code: 'NEVER_FITS' },
    });
    const answers = await Promise.all([ask(), ask(), ask(), ask(), ask()]);
    expect(answers.filter((answer) => 'granted' in answer).length).toBe(3);
    expect(await mode()).toBe('closed');
    await manager.dispose();
  });

  test('half-open is not used up by requests that find no room', async () => {
    const clock = fakeClock();
    const health = { healthy: true };
    const { manager } = world({
      clock,
      config: { ...CALM, breaker: { ...BREAKER, halfOpenMs: 60_000 } },
      tuning: { healthIntervalMs: 200 },
      options: { healthMonitor: sickly(clock, health) },
    });
    const lease = await manager.allocate({ requirements: { memory: 100 } });
    health.healthy = false;
    await clock.advanceAsync(300);
    health.healthy = true;
    await clock.advanceAsync(1_200);
    expect((await manager.getPool()).breaker.mode).toBe('halfOpen');
    for (let i = 0; i < 5; i++)
      expect(await manager.tryAllocate({ requirements: { memory: 1 } })).toMatchObject({
        refused: { code: 'EXHAUSTED' },
      });
    await manager.release(lease);
    expect(await manager.tryAllocate({ requirements: { memory: 1 } })).toHaveProperty('granted');
    expect((await manager.getPool()).breaker.mode).toBe('closed');
    await manager.dispose();
  });
});
