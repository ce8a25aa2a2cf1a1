import type { Clock } from '../../model/clock.ts';
import { sleep } from '../../time/backoff.ts';
import { type FollowOptions, followLog } from './follow-log.ts';

/** So many own batches one after the other, and none of another writer's among them: nobody else writes now. */
const ALONE_BATCHES = 8;
/** A writer that has had nothing to append for so long is quiet. */
const QUIET_MS = 20;

/**
 * What other writers append, as it comes. An own append that lands at its exact revision proves that there was nothing of others
 * before it, and one that does not leads to reading them. So a writer whose appends follow each other does not subscribe: all
 * that it would be sent is its own, and that would cost it and the server more than the appends do. It subscribes again
 * as soon as it is quiet, or another's events have been read.
 */
export class FollowOthers {
  readonly #clock: Clock;
  readonly #inFlight: () => boolean;
  #aloneBatches = 0;
  #endedMs = Number.NEGATIVE_INFINITY;
  /** Aborted when it is to subscribe, or to stop that. */
  #turn = new AbortController();

  /** `inFlight`: an own append is on its way, or the log is being read. */
  constructor(clock: Clock, inFlight: () => boolean) {
    this.#clock = clock;
    this.#inFlight = inFlight;
  }

  appendBegan(nowMs: number): void {
    if (nowMs - this.#endedMs >= QUIET_MS) this.#count(0);
  }

  /** A batch was committed, or another's was read. */
  committed(own: boolean, nowMs: number): void {
    this.#endedMs = nowMs;
    this.#count(own ? this.#aloneBatches + 1 : 0);
  }

  /** Until `signal` aborts. */
  async run(options: FollowOptions): Promise<void> {
    const { signal } = options;
    while (!signal.aborted) {
      this.#turn = new AbortController();
      const until = AbortSignal.any([signal, this.#turn.signal]);
      if (this.#listens) await followLog({ ...options, signal: until });
      else await this.#quiet(until);
    }
  }

  get #listens(): boolean {
    return this.#aloneBatches < ALONE_BATCHES;
  }

  #count(batches: number): void {
    const listened = this.#listens;
    this.#aloneBatches = batches;
    if (this.#listens !== listened) this.#turn.abort();
  }

  async #quiet(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const leftMs = this.#inFlight() ? QUIET_MS : this.#endedMs + QUIET_MS - this.#clock.monotonic();
      if (leftMs <= 0) this.#count(0);
      else await sleep(this.#clock, leftMs, until);
    }
  }
}
