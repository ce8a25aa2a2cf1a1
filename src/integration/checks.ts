import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ResourceDetector } from '../model/interfaces.ts';

export interface CheckResult {
  readonly healthy: boolean;
  readonly message?: string;
}

/** One question about the machine. A throw, a rejection or no answer in time counts as unhealthy. */
export interface HealthCheck {
  readonly name: string;
  /** Default 1000. */
  readonly timeoutMs?: number;
  /** The signal aborts when the time is up. */
  run(signal: AbortSignal): CheckResult | Promise<CheckResult>;
  dispose?(): void;
}

const judge = (healthy: boolean, message: string): CheckResult => (healthy ? { healthy } : { healthy, message });

/** At least `reserve` base units of the dimension are available: below it, the system itself runs short. */
export function reserveCheck(detector: ResourceDetector, dimension: string, reserve: number): HealthCheck {
  return {
    name: `${dimension}-reserve`,
    run: () => {
      const available = detector.getAvailability().available[dimension];
      if (available === undefined) return { healthy: true, message: `${dimension} is not measured` };
      return judge(available >= reserve, `${dimension}: ${available} available, below the reserve of ${reserve}`);
    },
  };
}

/**
 * Memory and io pressure lie within their limits (PSI some avg10, 0..1). Cpu pressure is left out: a busy cpu is what a
 * pool is for, and slows tasks without failing them.
 */
export function pressureCheck(detector: ResourceDetector, limits: { memory: number; io: number }): HealthCheck {
  return {
    name: 'pressure',
    run: () => {
      const pressure = detector.getCurrentResources().pressure ?? {};
      const over = (['memory', 'io'] as const).filter((kind) => (pressure[kind] ?? 0) > limits[kind]);
      return judge(
        over.length === 0,
        over.map((kind) => `${kind}: ${pressure[kind]} above ${limits[kind]}`).join(', '),
      );
    },
  };
}

/** What the detector says is of now. */
export function freshnessCheck(detector: ResourceDetector): HealthCheck {
  return {
    name: 'detector',
    run: () => judge(!detector.getAvailability().stale, 'the detector answers with its last good values'),
  };
}

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/**
 * The event loop's delay, p99 since the last check, stays below `maxDelayMs`. It is measured from the first check on: what a process
 * does before it is first asked, to start and to read its log, says nothing of how it serves. Disposing it stops the measuring.
 */
export function eventLoopCheck(maxDelayMs: number): HealthCheck {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let begun = false;
  return {
    name: 'event-loop',
    run: () => {
      if (!begun) {
        begun = true;
        histogram.enable();
        return { healthy: true };
      }
      const p99Ms = Math.max(0, Math.round(histogram.percentile(99) / NS_PER_MS) - RESOLUTION_MS);
      histogram.reset();
      return judge(p99Ms <= maxDelayMs, `the event loop was late by ${p99Ms} ms (p99), above ${maxDelayMs} ms`);
    },
    dispose: () => {
      begun = true;
      histogram.disable();
    },
  };
}
