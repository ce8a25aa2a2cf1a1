import type { Clock } from '../model/clock.ts';
import { turnsAsked } from '../time/turn.ts';

/** A clock that moves only when told. Timers run in the order they are due, those of one instant as they were set. */
export interface FakeClock extends Clock {
  /** Moves both times on by `ms`, running each timer at the instant it is due. */
  advance(ms: number): void;
  /** As `advance`, and lets promises and immediates settle after each timer and at the end. */
  advanceAsync(ms: number): Promise<void>;
  /** Runs timers, and what they set, until none is left; throws after `limit` (default 100 000): something repeats for ever. */
  runAll(limit?: number): void;
  /** Time goes by and no timer runs, as in a stalled process; those passed run late, with the next `advance`. */
  stall(ms: number): void;
  /** The wall clock jumps; monotonic time and timers do not. */
  jumpWall(deltaMs: number): void;
  /** How many timers are set. */
  pending(): number;
}

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** `startMs`: the wall time it begins at, Unix ms (default 2026-01-01T00:00:00Z). Monotonic time begins at 0. */
export const fakeClock = (startMs: number = Date.UTC(2026, 0, 1)): FakeClock => new Fake(startMs);

class Fake implements FakeClock {
  readonly #timers = new Set<Timer>();
  #wallOffsetMs: number;
  #monotonicMs = 0;
  #order = 0;

  constructor(startMs: number) {
    this.#wallOffsetMs = startMs;
  }

  now(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  schedule(delayMs: number, run: () => void): () => void {
    if (!(delayMs >= 0)) throw new RangeError(`delayMs is ${delayMs}; allowed: a number from 0`);
    const timer = { dueMs: this.#monotonicMs + delayMs, order: this.#order++, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  advance(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    while (this.#runNext(endMs));
    this.#monotonicMs = endMs;
  }

  async advanceAsync(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settled();
    while (this.#runNext(endMs)) await settled();
    this.#monotonicMs = endMs;
    await settled();
  }

  runAll(limit = 100_000): void {
    for (let ran = 0; this.#runNext(Number.POSITIVE_INFINITY); ran++) {
      if (ran >= limit) throw new Error(`timers are still set after ${limit} have run`);
    }
  }

  stall(ms: number): void {
    this.#monotonicMs += ms;
  }

  jumpWall(deltaMs: number): void {
    this.#wallOffsetMs += deltaMs;
  }

  pending(): number {
    return this.#timers.size;
  }

  /** Runs the first timer that is due by `endMs`, if there is one. */
  #runNext(endMs: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (timer.dueMs <= endMs && before(timer, next)) next = timer;
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
    next.run();
    return true;
  }
}

const before = (timer: Timer, other: Timer | undefined): boolean =>
  other === undefined || timer.dueMs < other.dueMs || (timer.dueMs === other.dueMs && timer.order < other.order);

/**
 * Promises settle before an immediate runs; two turns let an immediate that sets another one through as well. Work that goes in slices
 * comes to its end.
 */
async function settled(): Promise<void> {
  let before: number;
  do {
    before = turnsAsked().asked;
    for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  } while (turnsAsked().asked !== before || turnsAsked().due > 0);
}
