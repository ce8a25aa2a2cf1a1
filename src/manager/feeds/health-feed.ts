import type { Subscription } from 'rxjs';
import type { Clock } from '../../model/clock.ts';
import type { HealthMonitor, HealthStatus, Logger, ResourceIssue, ResourceMetrics } from '../../model/interfaces.ts';
import { RepeatedFailure } from '../../model/repeated-failure.ts';
import { clockScheduler } from '../../time/clock-scheduler.ts';
import { watchHealth } from './health.ts';

export interface HealthFeedOptions {
  readonly monitor: HealthMonitor;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly healthIntervalMs: number;
  readonly healthTimeoutMs: number;
  readonly metricsIntervalMs: number;
  /** Every status; `changed` if it says something else than the one before. */
  readonly observed: (healthy: boolean, failing: readonly string[], changed: boolean) => void;
  readonly metrics: () => ResourceMetrics;
}

/** The health monitor, asked and told at intervals. Nothing that it throws reaches the manager. */
export class HealthFeed {
  readonly #options: HealthFeedOptions;
  /** By the method that threw. */
  readonly #failures = new Map<string, RepeatedFailure>();
  #subscription: Subscription | undefined;
  #cancelTimer: () => void = () => undefined;
  #last: string | undefined;

  constructor(options: HealthFeedOptions) {
    this.#options = options;
  }

  start(): void {
    const { monitor, clock, healthIntervalMs, healthTimeoutMs, metricsIntervalMs } = this.#options;
    if (healthIntervalMs > 0) {
      this.#subscription = watchHealth(monitor, {
        intervalMs: healthIntervalMs,
        timeoutMs: healthTimeoutMs,
        scheduler: clockScheduler(clock),
      }).subscribe((status) => this.#observe(status));
    }
    if (metricsIntervalMs > 0) this.#reportAfter(metricsIntervalMs);
  }

  alert(issue: ResourceIssue): void {
    this.#guarded('alertResourceIssue', () => this.#options.monitor.alertResourceIssue(issue));
  }

  stop(): void {
    this.#subscription?.unsubscribe();
    this.#cancelTimer();
  }

  #observe({ healthy, checks }: HealthStatus): void {
    const failing = checks.filter((check) => !check.healthy).map((check) => check.name.toWellFormed());
    const now = JSON.stringify([healthy, failing]);
    const changed = this.#last === undefined ? !healthy : now !== this.#last;
    this.#last = now;
    this.#options.observed(healthy, failing, changed);
  }

  #reportAfter(intervalMs: number): void {
    this.#cancelTimer = this.#options.clock.schedule(intervalMs, () => {
      this.#reportAfter(intervalMs);
      this.#guarded('reportResourceMetrics', () =>
        this.#options.monitor.reportResourceMetrics(this.#options.metrics()),
      );
    });
  }

  #guarded(what: string, run: () => void): void {
    try {
      run();
      this.#failures.get(what)?.ended();
    } catch (error) {
      this.#failureOf(what).failed(error);
    }
  }

  #failureOf(what: string): RepeatedFailure {
    const { logger, clock } = this.#options;
    const known = this.#failures.get(what);
    if (known !== undefined) return known;
    const nowMs = () => clock.monotonic();
    const failure = new RepeatedFailure({ logger, nowMs, what: `the health monitor's ${what} threw` });
    this.#failures.set(what, failure);
    return failure;
  }
}
