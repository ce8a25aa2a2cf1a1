import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { HealthCheck } from '../../src/integration/checks.ts';
import { eventLoopCheck } from '../../src/integration/checks.ts';
import { createHealthMonitor, type HealthMonitorOptions } from '../../src/integration/health-monitor.ts';
import type {
  Logger,
  ResourceDetector,
  ResourceIssue,
  ResourceMetrics,
  SystemResources,
} from '../../src/model/interfaces.ts';

const monitors: ReturnType<typeof createHealthMonitor>[] = [];
afterEach(() => {
  for (const monitor of monitors.splice(0)) monitor.dispose();
});

function monitorOf(options: HealthMonitorOptions) {
  const monitor = createHealthMonitor(options);
  monitors.push(monitor);
  return monitor;
}

interface Machine {
  memory?: number;
  pressure?: NonNullable<SystemResources['pressure']>;
  stale?: boolean;
}

/** A detector of a machine with 1000 bytes of memory. */
function detectorOf({ memory = 800, pressure, stale = false }: Machine): ResourceDetector {
  return {
    getCurrentResources: () => ({
      at: 1,
      hostId: 'h',
      source: 'detected',
      containerLimited: false,
      resources: { memory: { total: 1000, used: 1000 - memory, available: memory } },
      ...(pressure && { pressure }),
    }),
    getAvailability: () => ({ at: 1, stale, available: { memory }, constrained: [] }),
  };
}

async function failing(options: HealthMonitorOptions): Promise<string[]> {
  const { checks, healthy } = await monitorOf(options).checkResourceHealth();
  const bad = checks.filter((check) => !check.healthy).map((check) => `${check.name}: ${check.message}`);
  expect(healthy).toBe(bad.length === 0);
  return bad;
}

describe('built-in checks', () => {
  test('a machine with room is healthy', async () => {
    expect(await failing({ detector: detectorOf({}), reserve: { memory: 100 } })).toEqual([]);
  });

  test('memory below the reserve is not', async () => {
    expect(await failing({ detector: detectorOf({ memory: 99 }), reserve: { memory: 100 } })).toEqual([
      'memory-reserve: memory: 99 available, below the reserve of 100',
    ]);
    expect(await failing({ detector: detectorOf({ memory: 100 }), reserve: { memory: 100 } })).toEqual([]);
  });

  test('memory and io pressure count, cpu pressure alone never does', async () => {
    expect(await failing({ detector: detectorOf({ pressure: { cpu: 1, memory: 0.6, io: 0.6 } }) })).toEqual([]);
    expect(await failing({ detector: detectorOf({ pressure: { memory: 0.61, io: 0.7 } }) })).toEqual([
      'pressure: memory: 0.61 above 0.6, io: 0.7 above 0.6',
    ]);
    expect(await failing({ detector: detectorOf({ pressure: { io: 0.7 } }), maxPressure: { io: 0.9 } })).toEqual([]);
  });

  test('a detector that answers with old values, or throws, is unhealthy', async () => {
    expect(await failing({ detector: detectorOf({ stale: true }) })).toEqual([
      'detector: the detector answers with its last good values',
    ]);
    const broken = {
      ...detectorOf({}),
      getAvailability: () => {
        throw new Error('no files');
      },
    };
    expect(await failing({ detector: broken, reserve: { memory: 1 } })).toEqual([
      'detector: no files',
      'memory-reserve: no files',
    ]);
  });

  test('a blocked event loop is seen by the next check, and forgotten by the one after', async () => {
    const check = eventLoopCheck(50);
    const signal = new AbortController().signal;
    const block = async (): Promise<void> => {
      await sleep(50);
      const until = performance.now() + 200;
      while (performance.now() < until);
      await sleep(30);
    };
    await block(); // of what was before it was first asked, as a recovery is, it knows nothing
    expect(await check.run(signal)).toEqual({ healthy: true });
    await block();
    expect(await check.run(signal)).toMatchObject({ healthy: false });
    expect(await check.run(signal)).toEqual({ healthy: true });
    check.dispose?.();
  });
});

describe("a user's own checks", () => {
  const queue: HealthCheck = { name: 'queue', run: async () => ({ healthy: false, message: '9 jobs late' }) };

  test('are run beside the built-in ones', async () => {
    expect(await failing({ checks: [queue] })).toEqual(['queue: 9 jobs late']);
    const status = await monitorOf({ checks: [queue] }).checkResourceHealth();
    expect(status.checks.map((check) => check.name)).toEqual(['event-loop', 'queue']);
  });

  test('one that hangs is cut off at its time limit, told so, and delays no other', async () => {
    let aborted = false;
    const hanging: HealthCheck = {
      name: 'hanging',
      timeoutMs: 20,
      run: (signal) => {
        signal.addEventListener('abort', () => {
          aborted = true;
        });
        return new Promise(() => undefined);
      },
    };
    expect(await failing({ checks: [hanging] })).toEqual(['hanging: gave no answer in 20 ms']);
    expect(aborted).toBe(true);
  });

  test.each<[string, HealthCheck['run'], string]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
      'own: boom',
    ],
    ['rejects', () => Promise.reject(new Error('late boom')), 'own: late boom'],
    ['answers nonsense', () => ({ healthy: 'yes' }) as never, 'own: healthy: yes is not true or false'],
  ])('one that %s is unhealthy', async (_, run, expected) => {
    expect(await failing({ checks: [{ name: 'own', run }] })).toEqual([expected]);
  });
});

test('the last metrics and status are kept', async () => {
  const monitor = monitorOf({ detector: detectorOf({}) });
  const metrics = { at: 1, revision: 7 } as ResourceMetrics;
  monitor.reportResourceMetrics(metrics);
  expect(monitor.lastMetrics).toBe(metrics);
  expect(await monitor.checkResourceHealth()).toBe(monitor.lastStatus);
});

describe('alerts', () => {
  function alerting(duplicateWindowMs: number) {
    const lines: unknown[][] = [];
    const level = (name: string) => (fields: object, message: string) => void lines.push([name, fields, message]);
    const logger: Logger = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
    let nowMs = 0;
    const clock = { now: () => nowMs, monotonic: () => nowMs, schedule: () => () => undefined };
    const monitor = monitorOf({ logger, clock, duplicateWindowMs });
    return {
      monitor,
      lines,
      advance: (ms: number) => {
        nowMs += ms;
      },
    };
  }
  const issue: ResourceIssue = {
    code: 'LEASE_LEAKED',
    severity: 'warning',
    message: 'lease l1 is old',
    at: 5,
    leaseId: 'l1',
  };

  test('severity chooses the level, the other fields are logged beside the message', () => {
    const { monitor, lines } = alerting(1000);
    for (const severity of ['info', 'warning', 'critical'] as const) monitor.alertResourceIssue({ ...issue, severity });
    expect(lines.map(([level]) => level)).toEqual(['info', 'warn', 'error']);
    expect(lines[1]).toEqual([
      'warn',
      { code: 'LEASE_LEAKED', severity: 'warning', at: 5, leaseId: 'l1' },
      'lease l1 is old',
    ]);
  });

  test('repetitions within the window are counted in the first line after it', () => {
    const { monitor, lines, advance } = alerting(1000);
    for (let i = 0; i < 10; i += 1) {
      monitor.alertResourceIssue(issue);
      advance(90);
    }
    advance(100);
    monitor.alertResourceIssue(issue);
    expect(lines.map(([, fields]) => (fields as { suppressed?: number }).suppressed)).toEqual([undefined, 9]);
  });

  test('another lease is another issue', () => {
    const { monitor, lines } = alerting(1000);
    monitor.alertResourceIssue(issue);
    monitor.alertResourceIssue({ ...issue, leaseId: 'l2' });
    expect(lines).toHaveLength(2);
  });
});

test('every wrong option is named at once', () => {
  expect(() =>
    createHealthMonitor({ maxPressure: { memory: 2 }, reserve: { memory: -1 }, duplicateWindowMs: Number.NaN }),
  ).toThrow(/maxPressure.memory: 2[\s\S]*duplicateWindowMs: NaN[\s\S]*reserve.memory: -1/);
});
