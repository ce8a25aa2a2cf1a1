import {
  asyncScheduler,
  catchError,
  defer,
  exhaustMap,
  from,
  map,
  type Observable,
  of,
  type SchedulerLike,
  timeout,
  timer,
} from 'rxjs';
import type { HealthMonitor, HealthStatus } from '../../model/interfaces.ts';

export interface HealthOptions {
  readonly intervalMs: number;
  /** A check that has not answered by then counts as unhealthy; its late answer is dropped. */
  readonly timeoutMs: number;
  readonly scheduler?: SchedulerLike;
}

/**
 * Polls a monitor, at once and then at each interval, one check at a time. A monitor that throws, hangs or answers nonsense
 * is an unhealthy status that says so; nothing it does ends the stream.
 */
export function watchHealth(monitor: HealthMonitor, options: HealthOptions): Observable<HealthStatus> {
  const scheduler = options.scheduler ?? asyncScheduler;
  const unhealthy = (message: string): HealthStatus => ({
    healthy: false,
    at: scheduler.now(),
    checks: [{ name: 'health-monitor', healthy: false, message }],
  });
  const check = defer(() => from(monitor.checkResourceHealth())).pipe(
    map((status) => (isHealthStatus(status) ? status : unhealthy(`answered no HealthStatus: ${describe(status)}`))),
    timeout({
      first: options.timeoutMs,
      scheduler,
      with: () => of(unhealthy(`gave no answer in ${options.timeoutMs} ms`)),
    }),
    catchError((error: unknown) => of(unhealthy(error instanceof Error ? error.message : String(error)))),
  );
  return timer(0, options.intervalMs, scheduler).pipe(exhaustMap(() => check));
}

const isHealthStatus = (status: unknown): status is HealthStatus =>
  typeof status === 'object' &&
  status !== null &&
  typeof (status as HealthStatus).healthy === 'boolean' &&
  Number.isSafeInteger((status as HealthStatus).at) &&
  Array.isArray((status as HealthStatus).checks);

const describe = (value: unknown): string => (JSON.stringify(value) ?? typeof value).slice(0, 100);
