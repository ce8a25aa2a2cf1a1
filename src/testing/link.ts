import type { Clock } from '../model/clock.ts';
import { PoolError } from '../model/errors.ts';

/** One subscription, until its reader or the connection closes it. */
export class Link {
  readonly #controller = new AbortController();
  readonly #reader: AbortSignal | undefined;
  readonly closed: Promise<void>;
  readonly close = (): void => this.#controller.abort();

  constructor(reader: AbortSignal | undefined) {
    this.#reader = reader;
    this.closed = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    reader?.addEventListener('abort', this.close);
    if (reader?.aborted === true) this.close();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  leave(): void {
    this.#reader?.removeEventListener('abort', this.close);
  }
}

export const away = (message: string): PoolError => new PoolError('LOG_UNAVAILABLE', message);

/** A promise of its own each time: what waits for it can be collected. */
export const never = (): Promise<never> => new Promise(() => undefined);

export const later = <T>(clock: Clock, ms: number, answer: () => T | Promise<T>): Promise<T> =>
  new Promise((resolve) => {
    clock.schedule(ms, () => resolve(answer()));
  });
