import { describe, expect, test } from 'vitest';
import { createTaskRouter } from '../../src/integration/task-router.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type {
  HealthMonitor,
  HealthStatus,
  Node,
  ResourceDetector,
  ResourceIssue,
  ResourceMetrics,
  ResourceRequest,
  SystemResources,
  Task,
  TaskRouter,
} from '../../src/model/interfaces.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { history, MiB, rejection, world } from '../manager/fixture.ts';

/** A monitor as a user writes one: it knows what it was told, and answers what it is set to. */
class MyMonitor implements HealthMonitor {
  readonly metrics: ResourceMetrics[] = [];
  readonly issues: ResourceIssue[] = [];
  healthy = true;
  asked = 0;

  async checkResourceHealth(): Promise<HealthStatus> {
    this.asked += 1;
    return { healthy: this.healthy, at: Date.now(), checks: [{ name: 'mine', healthy: this.healthy }] };
  }
  reportResourceMetrics(metrics: ResourceMetrics): void {
    this.metrics.push(metrics);
  }
  alertResourceIssue(issue: ResourceIssue): void {
    this.issues.push(issue);
  }
}

/** A detector as a user writes one: what it finds is set by the test. */
class MyDetector implements ResourceDetector {
  memory = 100 * MiB;
  fails: Error | undefined;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  getCurrentResources(): SystemResources {
    if (this.fails !== undefined) throw this.fails;
    const memory = { total: this.memory, used: 0, available: this.memory };
    return { at: this.#now(), hostId: 'my-host', source: 'detected', containerLimited: false, resources: { memory } };
  }
  getAvailability() {
    return { at: this.#now(), stale: false, available: { memory: this.memory }, constrained: [] };
  }
}

const BREAKER = { minimumCalls: 1, openMs: 1_000, jitterRatio: 0, halfOpenProbes: 1, rampMs: 0 };

describe("a user's own health monitor", () => {
  const withMonitor = (monitor: HealthMonitor, more: object = {}) =>
    world({
      config: { breaker: BREAKER, ...more },
      tuning: { healthIntervalMs: 1_000, metricsIntervalMs: 5_000 },
      options: { healthMonitor: monitor },
    });

  test('trips the breaker when a check fails, is recorded in the log, and lets it recover', async () => {
    const monitor = new MyMonitor();
    const { manager, clock, store } = withMonitor(monitor);
    await manager.ready();
    monitor.healthy = false;
    await clock.advanceAsync(2_000);
    expect(await rejection(manager.allocate({ requirements: { memory: 1 } }))).toMatchObject({ code: 'BREAKER_OPEN' });
    monitor.healthy = true;
    await clock.advanceAsync(3_000);
    await manager.allocate({ requirements: { memory: 1 } });
    const health = (await history(store)).filter((event) => event.type === 'HealthChanged').map(({ data }) => data);
    expect(health).toEqual([
      { healthy: false, failing: ['mine'] },
      { healthy: true, failing: [] },
    ]);
    expect(monitor.asked).toBeGreaterThan(3);
    await manager.dispose();
  });

  test('is given the metrics at intervals', async () => {
    const monitor = new MyMonitor();
    const { manager, clock } = withMonitor(monitor);
    await manager.allocate({ requirements: { memory: 40 } });
    await clock.advanceAsync(10_000);
    expect(monitor.metrics).toHaveLength(2);
    expect(monitor.metrics.at(-1)).toMatchObject({
      revision: (await manager.getPool()).revision,
      capacity: { memory: 100 * MiB },
      allocated: { memory: 40 * MiB },
      utilization: { memory: 0.4 },
      leases: 1,
      waiting: 0,
      grantedTotal: 1,
      refusedTotal: 0,
      reclaimedTotal: 0,
      breaker: 'closed',
    });
    await manager.dispose();
  });

  test('is alerted of leaks, of overcommitment and its end, and of every change of the breaker', async () => {
    const monitor = new MyMonitor();
    const clock = fakeClock();
    const detector = new MyDetector(() => clock.now());
    const config = {
      reserve: '0%',
      tiers: [{ name: 'all', nominal: '100%' }],
      overload: { pressureRatio: 1 },
      breaker: BREAKER,
      detection: { sampleIntervalMs: 1_000, stableSamples: 2 },
    };
    const manager = new ResourcePoolManager(detector, config, { clock, healthMonitor: monitor });
    const lease = await manager.allocate({ id: 'leaks', owner: 'ann', requirements: { memory: 10 }, ttlMs: 5_000 });
    const big = await manager.allocate({ requirements: { memory: 80 } });
    await clock.advanceAsync(6_000);
    expect(monitor.issues).toMatchObject([
      {
        code: 'LEASE_LEAKED',
        severity: 'warning',
        leaseId: lease.id,
        tier: 'all',
        message: expect.stringContaining('ann'),
      },
    ]);
    detector.memory = 50 * MiB;
    await clock.advanceAsync(4_000);
    expect(monitor.issues.at(-1)).toMatchObject({ code: 'OVERCOMMITTED', severity: 'critical', tier: 'all' });
    expect(await rejection(manager.allocate({ requirements: { memory: 1 } }))).toMatchObject({ code: 'EXHAUSTED' });
    await manager.release(big);
    await clock.advanceAsync(2_000);
    expect(monitor.issues.at(-1)).toMatchObject({ code: 'OVERCOMMITMENT_ENDED', severity: 'info' });
    await manager.setBreaker('forcedOpen');
    await manager.setBreaker('closed');
    expect(monitor.issues.slice(-2)).toMatchObject([
      { code: 'BREAKER_CHANGED', severity: 'critical', message: expect.stringContaining('forcedOpen') },
      { code: 'BREAKER_CHANGED', severity: 'info', message: expect.stringContaining('closed') },
    ]);
    await manager.dispose();
  });

  test('that throws, hangs or answers nonsense hurts nothing but counts as unhealthy', async () => {
    const answers: (() => unknown)[] = [
      () => Promise.reject(new Error('no')),
      () => new Promise(() => {}),
      () => 'well',
      () => {
        throw new Error('at once');
      },
    ];
    for (const checkResourceHealth of answers) {
      const broken = {
        checkResourceHealth,
        reportResourceMetrics: () => {
          throw new Error('not this either');
        },
        alertResourceIssue: () => {
          throw new Error('nor this');
        },
      } as unknown as HealthMonitor;
      const { manager, clock } = withMonitor(broken, { enableCircuitBreaker: false });
      const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 1_000 });
      await clock.advanceAsync(12_000);
      expect(await manager.getLease(lease.id)).toMatchObject({ state: 'reclaimed' });
      await manager.allocate({ requirements: { memory: 1 } });
      expect(await manager.pageEvents({ types: ['HealthChanged'] }, {})).toMatchObject({
        items: [{ data: { healthy: false } }],
      });
      await manager.dispose();
    }
  });
});

describe("a user's own detector", () => {
  const withDetector = () => {
    const clock = fakeClock();
    const detector = new MyDetector(() => clock.now());
    const monitor = new MyMonitor();
    const config = {
      reserve: '0%',
      tiers: [{ name: 'all', nominal: '100%' }],
      overload: { pressureRatio: 1 },
      detection: { sampleIntervalMs: 1_000, stableSamples: 3, hysteresisRatio: 0.05 },
    };
    return {
      clock,
      detector,
      monitor,
      manager: new ResourcePoolManager(detector, config, { clock, healthMonitor: monitor }),
    };
  };
  const capacityOf = async (manager: ResourcePoolManager) => (await manager.getPool()).capacity['memory'];

  test('is followed once a change is larger than noise and has stayed', async () => {
    const { clock, detector, manager } = withDetector();
    expect(await capacityOf(manager)).toBe(100 * MiB);
    detector.memory = 102 * MiB;
    await clock.advanceAsync(10_000);
    expect(await capacityOf(manager)).toBe(100 * MiB);
    detector.memory = 50 * MiB;
    await clock.advanceAsync(1_500);
    expect(await capacityOf(manager)).toBe(100 * MiB);
    await clock.advanceAsync(3_000);
    expect(await capacityOf(manager)).toBe(50 * MiB);
    expect((await manager.getPool()).hostId).toBe('my-host');
    await manager.dispose();
  });

  test('that throws, or says what cannot be, keeps its last good value and raises one alert', async () => {
    const { clock, detector, monitor, manager } = withDetector();
    await manager.ready();
    detector.fails = new Error('unplugged');
    await clock.advanceAsync(20_000);
    detector.fails = undefined;
    for (const wrong of [Number.NaN, -1, Number.POSITIVE_INFINITY, 1.5]) {
      detector.memory = wrong;
      await clock.advanceAsync(10_000);
      expect(await capacityOf(manager)).toBe(100 * MiB);
    }
    expect((await manager.allocate({ requirements: { memory: 100 } })).amounts).toEqual({ memory: 100 * MiB });
    const codes = monitor.issues.map(({ code }) => code);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.length).toBeLessThan(10);
    await manager.dispose();
  });

  test('that has nothing at the start is told as an error, naming it', async () => {
    const clock = fakeClock();
    const detector = new MyDetector(() => clock.now());
    detector.fails = new Error('unplugged');
    const manager = new ResourcePoolManager(detector, {}, { clock });
    await expect(manager.ready()).rejects.toThrow('unplugged');
    await expect(manager.allocate({ requirements: { memory: 1 } })).rejects.toThrow('unplugged');
    await manager.dispose();
  });
});

describe('the task router of a manager', () => {
  const task: Task = { id: 'task-1', requirements: { memory: 60 }, priority: 'high', owner: 'ann' };

  test("is the user's own where one is given", async () => {
    class MyRouter implements TaskRouter {
      async routeTask({ id }: Task): Promise<Node> {
        return { id: `node-for-${id}`, healthy: true, labels: {}, capacity: {}, available: {} };
      }
      getResourceRequirements({ requirements }: Task): ResourceRequest {
        return { requirements };
      }
      validateResources(): boolean {
        return true;
      }
    }
    const taskRouter = new MyRouter();
    const { manager } = world({ options: { taskRouter } });
    expect(manager.router).toBe(taskRouter);
    expect(await manager.router.routeTask(task)).toMatchObject({ id: 'node-for-task-1' });
    await manager.dispose();
  });

  test('sends a task to this pool while it fits, as a request that the pool grants', async () => {
    const { manager } = world();
    await manager.ready();
    const node = await manager.router.routeTask(task);
    expect(node).toMatchObject({ id: 'default', healthy: true, available: { memory: 100 * MiB } });
    const request = manager.router.getResourceRequirements(task);
    expect(manager.router.validateResources(node, request)).toBe(true);
    expect(await manager.allocate(request)).toMatchObject({ requestId: 'task-1', owner: 'ann', priority: 'high' });
    await expect(manager.router.routeTask({ ...task, id: 'task-2' })).rejects.toMatchObject({
      code: 'EXHAUSTED',
      details: { shortfall: { memory: 20 * MiB } },
    });
    await manager.dispose();
  });

  test('over the local pool and given nodes sends each task where it fits best, as they stand then', async () => {
    const remote: Node = {
      id: 'remote',
      url: 'http://127.0.0.1:7071',
      healthy: true,
      labels: {},
      capacity: { memory: 200 * MiB },
      available: { memory: 70 * MiB },
    };
    const { manager } = world({ options: { nodes: async () => [remote] } });
    await manager.ready();
    expect((await manager.router.routeTask(task)).id).toBe('default');
    const lease = await manager.allocate({ requirements: { memory: 50 } });
    expect((await manager.router.routeTask(task)).id).toBe('remote');
    await lease.release();
    expect((await manager.router.routeTask(task)).id).toBe('default');
    await manager.dispose();
    const make = () => world({ options: { nodes: [remote], taskRouter: createTaskRouter({ nodes: [remote] }) } });
    expect(make).toThrow(/options\.nodes/);
  });
});
