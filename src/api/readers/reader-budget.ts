import type { ServerResponse } from 'node:http';
import { PoolError } from '../../model/errors.ts';
import { whenOver } from './over.ts';

/** Answers up to this many bytes are not counted: a connection has one at a time, and connections are bounded. */
const SMALL_BYTES = 4_096;

/**
 * The bytes of answers that are made and that their readers have not taken yet, over all connections. What the kernel holds does
 * not count. Beyond the limit (`overload.readerBytes`) new reads are refused; those that run go on in small pieces.
 */
export class ReaderBudget {
  readonly #limit: () => number;
  #held = 0;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#held >= this.#limit();
  }

  /** From here on readers that hang are held in smaller pieces. */
  get isTight(): boolean {
    return this.#held * 4 >= this.#limit();
  }

  add(bytes: number): void {
    this.#held += bytes;
  }

  free(bytes: number): void {
    this.#held -= bytes;
  }

  /** Counts a whole answer until it has been taken, or its connection is gone. */
  addAnswer(response: ServerResponse, bytes: number): void {
    if (bytes <= SMALL_BYTES) return;
    this.#held += bytes;
    whenOver(response, () => this.free(bytes));
  }

  /** Throws RATE_LIMITED while readers hold more than they may. */
  requireRoom(): void {
    if (!this.isFull) return;
    const detail = `readers have not taken ${this.#held} bytes of answers yet; overload.readerBytes allows ${this.#limit()}`;
    throw new PoolError('RATE_LIMITED', detail, { details: { retryAfterMs: 1_000 } });
  }
}
