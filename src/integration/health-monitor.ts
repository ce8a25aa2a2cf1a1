import type { Clock } from '../model/clock.ts';
import { type FieldError, invalid } from '../model/errors.ts';
import {
  type HealthMonitor,
  type HealthStatus,
  type Logger,
  type ResourceDetector,
  type ResourceIssue,
  type ResourceMetrics,
  SILENT,
} from '../model/interfaces.ts';
import { systemClock } from '../time/system-clock.ts';
import { AlertLog } from './alerts.ts';
import {
  type CheckResult,
  eventLoopCheck,
  freshnessCheck,
  type HealthCheck,
  pressureCheck,
  reserveCheck,
} from './checks.ts';

export interface HealthMonitorOptions {
  /** What the built-in checks look at; without it only the event loop is checked. */
  readonly detector?: ResourceDetector;
  /** Amounts in base units that must stay available, by dimension. */
  readonly reserve?: Readonly<Record<string, number>>;
  /** PSI avg10, 0..1 (default 0.6 each; systemd-oomd acts on memory at 0.6). */
  readonly maxPressure?: { readonly memory?: number; readonly io?: number };
  /** Default 500. */
  readonly maxEventLoopDelayMs?: number;
  /** Checks of the user's own, run beside the built-in ones. */
  readonly checks?: readonly HealthCheck[];
  readonly logger?: Logger;
  /** Repetitions of an issue within this time are counted, not logged (default 60000). */
  readonly duplicateWindowMs?: number;
  readonly clock?: Clock;
}

/** The default monitor, with what it has last been told. */
export interface DefaultHealthMonitor extends HealthMonitor {
  readonly lastMetrics: ResourceMetrics | undefined;
  readonly lastStatus: HealthStatus | undefined;
  /** Stops measuring; a disposed monitor still answers. */
  dispose(): void;
}

/** Throws INVALID_CONFIG naming every wrong option. */
export function createHealthMonitor(options: HealthMonitorOptions = {}): DefaultHealthMonitor {
  checkOptions(options);
  const own = options.checks ?? [];
  return new Monitor([...builtInChecks(options), ...own], options);
}

function checkOptions(options: HealthMonitorOptions): void {
  const errors: FieldError[] = [];
  const within = (path: string, value: number | undefined, max: number): void => {
    if (value === undefined || (value >= 0 && value <= max)) return;
    errors.push({ path, value, allowed: `a number from 0 to ${max}` });
  };
  within('maxPressure.memory', options.maxPressure?.memory, 1);
  within('maxPressure.io', options.maxPressure?.io, 1);
  within('maxEventLoopDelayMs', options.maxEventLoopDelayMs, 3_600_000);
  within('duplicateWindowMs', options.duplicateWindowMs, 86_400_000);
  for (const [name, amount] of Object.entries(options.reserve ?? {}))
    within(`reserve.${name}`, amount, Number.MAX_SAFE_INTEGER);
  for (const check of options.checks ?? []) within(`checks.${check.name}.timeoutMs`, check.timeoutMs, 3_600_000);
  if (errors.length > 0) throw invalid(errors, 'INVALID_CONFIG');
}

function builtInChecks({ detector, reserve, maxPressure, maxEventLoopDelayMs }: HealthMonitorOptions): HealthCheck[] {
  const loop = eventLoopCheck(maxEventLoopDelayMs ?? 500);
  if (detector === undefined) return [loop];
  const reserves = Object.entries(reserve ?? {}).map(([name, amount]) => reserveCheck(detector, name, amount));
  const limits = { memory: 0.6, io: 0.6, ...maxPressure };
  return [loop, freshnessCheck(detector), pressureCheck(detector, limits), ...reserves];
}

class Monitor implements DefaultHealthMonitor {
  readonly #checks: readonly HealthCheck[];
  readonly #clock: Clock;
  readonly #alerts: AlertLog;
  lastMetrics: ResourceMetrics | undefined;
  lastStatus: HealthStatus | undefined;

  constructor(checks: readonly HealthCheck[], options: HealthMonitorOptions) {
    this.#checks = checks;
    this.#clock = options.clock ?? systemClock;
    this.#alerts = new AlertLog(options.logger ?? SILENT, options.duplicateWindowMs ?? 60_000);
  }

  async checkResourceHealth(): Promise<HealthStatus> {
    const results = await Promise.all(this.#checks.map((check) => this.#run(check)));
    const checks = results.map((result, index) => ({ name: this.#checks[index]!.name, ...result }));
    this.lastStatus = { healthy: checks.every((check) => check.healthy), at: this.#clock.now(), checks };
    return this.lastStatus;
  }

  reportResourceMetrics(metrics: ResourceMetrics): void {
    this.lastMetrics = metrics;
  }

  alertResourceIssue(issue: ResourceIssue): void {
    this.#alerts.raise(issue, this.#clock.monotonic());
  }

  dispose(): void {
    for (const check of this.#checks) check.dispose?.();
  }

  /** Never rejects and always settles by the check's time limit. */
  #run(check: HealthCheck): Promise<CheckResult> {
    const timeoutMs = check.timeoutMs ?? 1_000;
    const { promise, resolve } = Promise.withResolvers<CheckResult>();
    const stop = new AbortController();
    const cancel = this.#clock.schedule(timeoutMs, () => {
      resolve({ healthy: false, message: `gave no answer in ${timeoutMs} ms` });
      stop.abort();
    });
    void attempt(check, stop.signal).then(resolve).finally(cancel);
    return promise;
  }
}

async function attempt(check: HealthCheck, signal: AbortSignal): Promise<CheckResult> {
  try {
    const { healthy, message } = await check.run(signal);
    if (typeof healthy !== 'boolean') throw new TypeError(`healthy: ${String(healthy)} is not true or false`);
    return message === undefined ? { healthy } : { healthy, message };
  } catch (error) {
    return { healthy: false, message: error instanceof Error ? error.message : String(error) };
  }
}
