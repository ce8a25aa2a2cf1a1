import { type Observable, Subject } from 'rxjs';
import type { Clock } from '../model/clock.ts';
import { MAX_TICK, TimingWheel } from './timing-wheel.ts';

/** Where the entry of each key is kept: a Map, or what knows the keys better (what is one key to it may come as another object). */
export interface KeyIndex<K> {
  readonly size: number;
  get(key: K): number | undefined;
  set(key: K, entry: number): unknown;
  delete(key: K): boolean;
}

export interface DeadlineOptions<K> {
  readonly clock: Clock;
  readonly index?: KeyIndex<K>;
  /** A timer later than this tells of a stall (default 1 000 ms). */
  readonly gapThresholdMs?: number;
  /** Keys of one batch at most; between batches the event loop goes round (default 1 024). */
  readonly maxBatch?: number;
  /** It wakes at least so often while anything is scheduled, so that no stall goes unseen (default 1 000 ms). */
  readonly heartbeatMs?: number;
}

/** What the timer is set for. `afterGap` = the gap is told and the event loop has gone round: now the keys are. */
type Wake = 'due' | 'afterGap';

/**
 * Deadlines by key on the monotonic clock, to the millisecond and never early. A key has one deadline: scheduling it
 * again moves it. Expiry is decided elsewhere: this only says that the time has come.
 */
export class Deadlines<K> {
  /** Keys whose deadline has passed, in order of deadline. They are forgotten here when told. */
  readonly due$: Observable<readonly K[]>;
  /**
   * A stall of this process: how late a timer was, in ms (the stall itself is at most a heartbeat longer). It is told
   * before any key that fell due in it, and the event loop goes round once between the two, so that renewals that wait in
   * the sockets are taken in first.
   */
  readonly gap$: Observable<number>;
  readonly #due = new Subject<readonly K[]>();
  readonly #gap = new Subject<number>();
  readonly #clock: Clock;
  readonly #originMs: number;
  readonly #gapThresholdMs: number;
  readonly #maxBatch: number;
  readonly #heartbeatMs: number;
  readonly #wheel = new TimingWheel();
  readonly #entries: KeyIndex<K>;
  readonly #keys: K[] = [];
  /** When the timer is set for, monotonic ms; Infinity = it is not set. */
  #wakeMs = Number.POSITIVE_INFINITY;
  #cancelTimer = (): void => undefined;

  constructor(options: DeadlineOptions<K>) {
    this.#entries = options.index ?? new Map<K, number>();
    this.#clock = options.clock;
    this.#originMs = options.clock.monotonic();
    this.#gapThresholdMs = options.gapThresholdMs ?? 1_000;
    this.#maxBatch = options.maxBatch ?? 1_024;
    this.#heartbeatMs = options.heartbeatMs ?? 1_000;
    this.due$ = this.#due.asObservable();
    this.gap$ = this.#gap.asObservable();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A deadline past the wheel's range (139 years) is held at its end; one in the past is due at once. */
  schedule(key: K, atMonotonicMs: number): void {
    const tick = Math.min(Math.ceil(atMonotonicMs - this.#originMs), MAX_TICK);
    const before = this.#entries.get(key);
    if (before !== undefined) this.#wheel.cancel(before);
    const entry = this.#wheel.insert(tick);
    this.#keys[entry] = key;
    this.#entries.set(key, entry);
    if (atMonotonicMs < this.#wakeMs) this.#arm();
  }

  /** False if the key has no deadline. */
  cancel(key: K): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#wheel.cancel(entry);
    return true;
  }

  /** The key's deadline, monotonic ms rounded up to the tick; undefined if it has none. */
  at(key: K): number | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : this.#originMs + this.#wheel.dueTick(entry);
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#cancelTimer();
    this.#wakeMs = Number.NEGATIVE_INFINITY;
    this.#due.complete();
    this.#gap.complete();
  }

  /** Sets the timer for the next tick that matters, at the latest for the next heartbeat, unless it is set for earlier. */
  #arm(): void {
    if (this.#entries.size === 0) return;
    const nextMs = this.#originMs + this.#wheel.nextTick();
    const nowMs = this.#clock.monotonic();
    const wakeMs = Math.min(Math.max(nextMs, nowMs), nowMs + this.#heartbeatMs);
    if (wakeMs < this.#wakeMs) this.#sleep(wakeMs, wakeMs - nowMs, 'due');
  }

  #sleep(wakeMs: number, delayMs: number, wake: Wake): void {
    this.#cancelTimer();
    this.#wakeMs = wakeMs;
    this.#cancelTimer = this.#clock.schedule(Math.ceil(delayMs), () => this.#wake(wake));
  }

  #wake(wake: Wake): void {
    const nowMs = this.#clock.monotonic();
    const lateMs = nowMs - this.#wakeMs;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    if (wake === 'due' && lateMs > this.#gapThresholdMs) this.#tellGap(lateMs, nowMs);
    else this.#deliver(nowMs);
  }

  #tellGap(gapMs: number, nowMs: number): void {
    this.#sleep(nowMs, 0, 'afterGap');
    this.#gap.next(gapMs);
  }

  /** The timer is set before the keys are told: who is told schedules and cancels, and may throw. */
  #deliver(nowMs: number): void {
    const keys = this.#expire(nowMs);
    if (keys.length === this.#maxBatch) this.#sleep(nowMs, 0, 'due');
    else this.#arm();
    if (keys.length > 0) this.#due.next(keys);
  }

  #expire(nowMs: number): K[] {
    const keys: K[] = [];
    this.#wheel.expire(Math.floor(nowMs - this.#originMs), this.#maxBatch, (entry) => {
      const key = this.#keys[entry]!;
      this.#entries.delete(key);
      keys.push(key);
    });
    return keys;
  }
}
