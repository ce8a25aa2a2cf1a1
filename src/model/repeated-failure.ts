import type { Logger } from './interfaces.ts';

export interface RepeatedFailureOptions {
  readonly logger: Logger;
  /** Monotonic ms. */
  readonly nowMs: () => number;
  /** What goes on failing, such as "refusals could not be recorded". */
  readonly what: string;
  /** Said with each line: which stream, which store. */
  readonly fields?: object;
}

/** So long after it began a failure is said again, then after twice that, and so on, ms. */
const SAY_AGAIN_MS = 10_000;

/**
 * Something that is tried until it succeeds, as the log tells of it: its first failure with the whole error, the next ones counted,
 * one line without a stack each time it has lasted twice as long, and one line when it is over, with how often and how long. An
 * outage of a minute is five lines, however quickly it is tried again.
 */
export class RepeatedFailure {
  readonly #options: RepeatedFailureOptions;
  #failures = 0;
  #sinceMs = 0;
  #sayAfterMs = SAY_AGAIN_MS;

  constructor(options: RepeatedFailureOptions) {
    this.#options = options;
  }

  /** It has failed once more. `fields`: what is known of this time. */
  failed(error: unknown, fields: object = {}): void {
    const { logger, nowMs, what } = this.#options;
    this.#failures += 1;
    if (this.#failures === 1) {
      this.#sinceMs = nowMs();
      this.#sayAfterMs = SAY_AGAIN_MS;
      logger.warn({ ...this.#options.fields, ...fields, err: error }, what);
      return;
    }
    const forMs = nowMs() - this.#sinceMs;
    if (forMs < this.#sayAfterMs) return;
    this.#sayAfterMs = 2 * forMs;
    logger.warn({ ...this.#counted(forMs), ...fields, error: messageOf(error) }, `${what}, still`);
  }

  /** It has succeeded, or need not any more. */
  ended(): void {
    if (this.#failures === 0) return;
    const { logger, nowMs, what } = this.#options;
    logger.info(this.#counted(nowMs() - this.#sinceMs), `over: ${what}`);
    this.#failures = 0;
  }

  #counted(forMs: number): object {
    return { ...this.#options.fields, failures: this.#failures, forMs: Math.round(forMs) };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
