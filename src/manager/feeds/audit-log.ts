import { type AppendLimits, appendLimits, fitting } from '../../eventstore/append-limits.ts';
import type { Clock } from '../../model/clock.ts';
import { type AppendResult, type EventStore, NO_STREAM } from '../../model/event-store.ts';
import {
  type AuditEvent,
  type AuditEventData,
  type AuditEventType,
  type NewEvent,
  type RecordedAuditEvent,
  SCHEMA_VERSIONS,
} from '../../model/events.ts';
import { auditStream, eventId } from '../../model/ids.ts';
import type { Logger } from '../../model/interfaces.ts';
import { RepeatedFailure } from '../../model/repeated-failure.ts';
import { backoffMs, type Jitter, sleep } from '../../time/backoff.ts';
import { cutRequest } from './refused-request.ts';

export interface AuditOptions {
  readonly store: EventStore;
  readonly poolId: string;
  readonly writerId: string;
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly logger: Logger;
  readonly nextId: () => string;
  /** Told what is recorded, in order. */
  readonly recorded: (events: readonly RecordedAuditEvent[]) => void;
  /** Refusals of one second that are recorded one by one; the rest of them are counted in one summary (default 200). */
  readonly maxPerSecond?: number;
}

const FLUSH_MS = 250;
const WINDOW_MS = 1_000;
const MAX_BATCH = 128;
/** While the store is away so many wait; more are counted. */
const MAX_WAITING = 2_000;
/** A reader waits no longer for what is refused already, ms: what is recorded is a second behind at most anyway. */
const READER_WAITS_MS = 1_000;

/**
 * The stream of refusals, beside the pool's own: nothing waits for it, and no failure of it touches a grant. A refusal is in it at
 * most a second later, as long as the store accepts; a crash loses what was refused since. Above a set rate refusals are folded
 * into counts, so that an overload is no write storm.
 */
export class AuditLog {
  readonly #options: AuditOptions;
  readonly #stream: string;
  readonly #maxPerSecond: number;
  readonly #limits: AppendLimits;
  readonly #failure: RepeatedFailure;
  #waiting: AuditEvent[] = [];
  #counts = new Map<string, number>();
  #countedSince = 0;
  #windowMs = Number.NEGATIVE_INFINITY;
  #inWindow = 0;
  #revision: number | undefined;
  #flushing: Promise<void> | undefined;
  /** Of the flush that runs, or ran last: it has recorded all, or a try of it has failed. */
  #tried = Promise.withResolvers<void>();
  #cancelTimer: (() => void) | undefined;
  readonly #closing = new AbortController();

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#stream = auditStream(options.poolId);
    this.#maxPerSecond = options.maxPerSecond ?? 200;
    this.#limits = appendLimits(options.store.traits);
    const { logger, clock } = options;
    const nowMs = () => clock.monotonic();
    this.#failure = new RepeatedFailure({ logger, nowMs, what: 'refusals could not be recorded' });
  }

  refused(data: Omit<AuditEventData['RequestRefused'], 'writerId' | 'leftOut'>, at: number, actor: string): void {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = nowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    if (this.#inWindow > this.#maxPerSecond || this.#waiting.length >= MAX_WAITING) this.#count(data.refusal.code, at);
    else {
      const { decisionId } = data.refusal;
      const { request, leftOut } = cutRequest(data.request);
      const { writerId } = this.#options;
      const cut = leftOut.length === 0 ? { ...data, writerId } : { ...data, request, writerId, leftOut };
      this.#waiting.push(this.#event('RequestRefused', cut, at, decisionId, actor));
    }
    this.#cancelTimer ??= this.#options.clock.schedule(FLUSH_MS, () => this.#onTimer());
  }

  /**
   * Settles when all that was refused until now is recorded, or cannot be for now: after the first try that fails, after a second, or when
   * `signal` aborts. Never rejects.
   */
  async flush(signal?: AbortSignal): Promise<void> {
    this.#onTimer();
    const settled = new AbortController();
    const ends = signal === undefined ? settled.signal : AbortSignal.any([settled.signal, signal]);
    await Promise.race([this.#tried.promise, sleep(this.#options.clock, READER_WAITS_MS, ends)]);
    settled.abort();
  }

  /** Records what waits, once more without patience, and stops. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#onTimer();
    await this.#flushing;
    this.#cancelTimer?.();
  }

  #onTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#flushing !== undefined) return;
    this.#tried = Promise.withResolvers();
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = undefined;
      this.#tried.resolve();
    });
  }

  #count(code: string, at: number): void {
    if (this.#counts.size === 0) this.#countedSince = at;
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  async #flush(): Promise<void> {
    this.#summarize();
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      if (!(await this.#record(batch))) return;
      this.#waiting = this.#waiting.slice(batch.length);
    }
  }

  #nextBatch(): readonly AuditEvent[] {
    const batch = this.#waiting.slice(0, MAX_BATCH);
    return batch.slice(0, fitting(this.#limits, batch));
  }

  #summarize(): void {
    if (this.#counts.size === 0) return;
    const to = this.#options.clock.now();
    const counts = Object.fromEntries(this.#counts);
    this.#counts = new Map();
    const data = {
      from: this.#countedSince,
      to: Math.max(to, this.#countedSince),
      counts,
      writerId: this.#options.writerId,
    };
    this.#waiting.push(this.#event('RefusalsSummarized', data, to, undefined, 'system'));
  }

  /** True once the batch stands in the stream. Only closing ends it before. */
  async #record(batch: readonly AuditEvent[]): Promise<boolean> {
    const { clock, jitter } = this.#options;
    let doubtful = false;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#append(batch);
      if (result.outcome === 'appended') return this.#recorded(batch, result.revision);
      if (result.outcome === 'conflict') {
        const found = doubtful ? await this.#find(batch) : 'others';
        if (typeof found === 'number') return this.#recorded(batch, found);
        if (found === 'others') this.#revision = undefined;
      } else {
        doubtful ||= result.outcome === 'unknown';
        this.#failure.failed(result.cause);
        this.#tried.resolve();
        if (result.outcome === 'failed' && !result.retryable) return this.#recorded(batch, undefined);
      }
      if (this.#closing.signal.aborted && attempt >= 3) return false;
      if (attempt > 1 || result.outcome !== 'conflict')
        await sleep(clock, backoffMs(attempt, 10, 1_000, jitter), this.#closing.signal);
    }
  }

  async #append(batch: readonly AuditEvent[]): Promise<AppendResult> {
    try {
      this.#revision ??= await this.#lastRevision();
      return await this.#options.store.append(this.#stream, batch, this.#revision);
    } catch (cause) {
      return { outcome: 'unknown', cause };
    }
  }

  async #lastRevision(): Promise<number> {
    const last = this.#options.store.read(this.#stream, { direction: 'backward', limit: 1 });
    for await (const events of last) if (events[0] !== undefined) return events[0].revision;
    return NO_STREAM;
  }

  /** What stands where the batch would: itself (the revision of its last event), others' events, or nobody can say now. */
  async #find(batch: readonly AuditEvent[]): Promise<number | 'others' | 'unknown'> {
    const from = this.#revision! + 1;
    try {
      for await (const events of this.#options.store.read(this.#stream, { from, limit: 1 }))
        if (events[0] !== undefined) return events[0].id === batch[0]!.id ? from + batch.length - 1 : 'others';
    } catch (error) {
      this.#failure.failed(error);
    }
    return 'unknown';
  }

  /** `revision` of its last event; undefined = it never can be recorded, and is left out. */
  #recorded(batch: readonly AuditEvent[], revision: number | undefined): true {
    if (revision === undefined) return true;
    this.#failure.ended();
    this.#revision = revision;
    const first = revision - batch.length + 1;
    this.#options.recorded(batch.map((event, i) => ({ ...event, stream: this.#stream, revision: first + i })));
    return true;
  }

  #event<T extends AuditEventType>(
    type: T,
    data: AuditEventData[T],
    at: number,
    decisionId: string | undefined,
    actor: string,
  ): AuditEvent {
    const id = eventId(this.#options.nextId(), 1);
    const cause = decisionId ?? id;
    const metadata = { correlationId: cause, causationId: cause, actor };
    const event: NewEvent = { id, type, schemaVersion: SCHEMA_VERSIONS[type], at, data, metadata };
    return event as AuditEvent;
  }
}
