import type { Logger, ResourceIssue } from '../model/interfaces.ts';

const MAX_KEYS = 1_000;

/**
 * Logs an issue at once, and its repetitions within the window only as a number in the next line: a leak of ten thousand leases
 * is one fact. Another severity is another issue. Keys are bounded; the oldest is forgotten first.
 */
export class AlertLog {
  readonly #logger: Logger;
  readonly #windowMs: number;
  readonly #seen = new Map<string, { atMs: number; suppressed: number }>();

  constructor(logger: Logger, windowMs: number) {
    this.#logger = logger;
    this.#windowMs = windowMs;
  }

  /** True if it was logged. `nowMs` is monotonic. */
  raise(issue: ResourceIssue, nowMs: number): boolean {
    const key = JSON.stringify([issue.code, issue.severity, issue.tier, issue.leaseId, issue.resource]);
    const before = this.#seen.get(key);
    if (before !== undefined && nowMs - before.atMs < this.#windowMs) {
      before.suppressed += 1;
      return false;
    }
    this.#seen.delete(key);
    this.#seen.set(key, { atMs: nowMs, suppressed: 0 });
    if (this.#seen.size > MAX_KEYS) this.#seen.delete(this.#seen.keys().next().value!);
    this.#write(issue, before?.suppressed ?? 0);
    return true;
  }

  #write(issue: ResourceIssue, suppressed: number): void {
    const { message, ...fields } = issue;
    const level = issue.severity === 'critical' ? 'error' : issue.severity === 'warning' ? 'warn' : 'info';
    this.#logger[level](suppressed > 0 ? { ...fields, suppressed } : fields, message);
  }
}
