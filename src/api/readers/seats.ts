import { PoolError } from '../../model/errors.ts';

/**
 * So many may do something at once. Who is refused comes again by itself (`take`); who waits is let in in the order of coming
 * (`wait`). Every seat is given back by the function that was answered, once.
 */
export class Seats {
  readonly #limit: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Whether anybody waits for one. */
  get areWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /** Throws RATE_LIMITED if none is free. */
  take(): () => void {
    if (this.#taken >= this.#limit()) {
      const detail = `${this.#taken} reads of the log run, and overload.longReads allows ${this.#limit()}`;
      throw new PoolError('RATE_LIMITED', detail, { details: { retryAfterMs: 1_000 } });
    }
    this.#taken += 1;
    return this.#leave;
  }

  wait(): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#leave));
      this.#letIn();
    });
  }

  readonly #leave = (): void => {
    this.#taken -= 1;
    this.#letIn();
  };

  #letIn(): void {
    while (this.#waiting.length > 0 && this.#taken < this.#limit()) {
      this.#taken += 1;
      this.#waiting.shift()!();
    }
  }
}

/** Runs `work` in a seat. Throws RATE_LIMITED if none is free. */
export async function seated<T>(seats: Seats, work: () => Promise<T>): Promise<T> {
  const leave = seats.take();
  try {
    return await work();
  } finally {
    leave();
  }
}
