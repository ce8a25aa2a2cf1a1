import type { ServerResponse } from 'node:http';
import { PoolError } from '../model/errors.ts';
import { abortWhenGone, whenOver } from './readers/over.ts';

/** Whatever holds a connection open: its response, and whether it is still there. */
interface Held {
  readonly raw: ServerResponse;
}

/**
 * What outlives a single turn of the loop: callers that wait for a grant, and readers of streams. Both end when their
 * client goes or the server stops, whichever is first.
 */
export class Lifetime {
  readonly #streamLimit: number;
  readonly #waits = new Map<AbortController, () => PoolError>();
  readonly #streams = new Map<AbortController, () => PoolError>();
  #stopping = false;

  constructor(streamLimit: number) {
    this.#streamLimit = streamLimit;
  }

  /** True once the server answers nothing new. */
  get stopping(): boolean {
    return this.#stopping;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Runs `work` with a signal that aborts when the client disconnects or the server stops; then that (`atStop`) is the error. */
  async whileConnected<T>(
    held: Held,
    work: (signal: AbortSignal) => Promise<T>,
    atStop: () => PoolError = stopped,
  ): Promise<T> {
    const wait = this.#hold(held, this.#waits, atStop);
    try {
      return await work(wait.signal);
    } catch (error) {
      throw wait.signal.aborted ? wait.signal.reason : error;
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** A signal for the reader of a stream; throws OVERLOADED if too many are open. */
  openStream(held: Held): { readonly signal: AbortSignal; readonly close: () => void } {
    if (this.#streams.size >= this.#streamLimit)
      throw new PoolError('OVERLOADED', `${this.#streamLimit} event streams are open, which is the limit`, {
        details: { retryAfterMs: 5_000 },
      });
    const stream = this.#hold(held, this.#streams);
    return { signal: stream.signal, close: () => this.#streams.delete(stream) };
  }

  stop(): void {
    this.#stopping = true;
    for (const [held, why] of [...this.#waits, ...this.#streams]) held.abort(why());
  }

  #hold(held: Held, among: Map<AbortController, () => PoolError>, atStop = stopped): AbortController {
    const controller = new AbortController();
    if (this.#stopping) controller.abort(atStop());
    among.set(controller, atStop);
    abortWhenGone(held.raw, controller);
    whenOver(held.raw, () => among.delete(controller));
    return controller;
  }
}

/** What a request is answered with while the server stops. */
export const stopped = (): PoolError =>
  new PoolError('DRAINING', 'the server is stopping', { details: { retryAfterMs: 1_000 } });

/** What a request is answered with that waits on though the server stops, because a key can ask for it again. */
export const waitsOn = (): PoolError =>
  new PoolError('OUTCOME_UNKNOWN', 'the server is stopping; the request waits on: repeat it with its key', {
    details: { retryAfterMs: 1_000 },
  });
