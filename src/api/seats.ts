import { PoolError } from '../model/errors.ts';

/**
 * So many may do something at once. Who is refused comes again by itself (`take`), who waits is served in the order of coming
 * (`wait`). Every seat is given back by the function that was answered, once.
 */
export class Seats {
  readonly #limit: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Throws RATE_LIMITED if none is free. */
  take(): () => void {
    if (this.#taken >= this.#limit()) {
      const detail = `${this.#taken} reads of the log run, and overload.longReads allows ${this.#limit()}`;
      throw new PoolError('RATE_LIMITED', detail, { details: { retryAfterMs: 1_000 } });
    }
    return this.#seat();
  }

  async wait(): Promise<() => void> {
    while (this.#taken >= this.#limit()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#seat();
  }

  #seat(): () => void {
    this.#taken += 1;
    return () => {
      this.#taken -= 1;
      this.#waiting.shift()?.();
    };
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
