import { evolve } from '../domain/evolve.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import { appendLimits } from '../eventstore/append-limits.ts';
import { readRange } from '../eventstore/read-range.ts';
import { isPoolError, PoolError } from '../model/errors.ts';
import { type AppendResult, asFolded } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { RepeatedFailure } from '../model/repeated-failure.ts';
import { backoffMs, sleep } from '../time/backoff.ts';
import { nextTurn, Slice } from '../time/turn.ts';
import { type Batch, BatchBuilder, type Decider, decideBatch } from './batch.ts';
import { type Call, outage } from './call.ts';
import { CommandQueue } from './command-queue.ts';
import type { AppendCounters, EngineOptions } from './engine-options.ts';
import { resolveUnknown } from './unknown-outcome.ts';

/** In a row, each without anything new in the log: then the store is wrong. Defeats by others, however many, are no outage. */
const MAX_VAIN_CONFLICTS = 1_000;
/** The rest of a batch of which a part has come is here by then. */
const SETTLE_MS = 1;
/** After a defeat; drawn, so that two that lost together do not meet again. */
const MAX_PAUSE_MS = 3;
const RETRY_AFTER_MS = 1_000;
const NO_ANSWER = 'the event store does not answer';
const CONTRADICTION = 'the event store tells of conflicts, but shows nothing that another has written';
/** Of others' events that come while an append is under way so many are kept; the rest is read again. */
const MAX_AHEAD = 1_024;
/** A definite failure is tried again at least so often, if the store says that it may pass, and as long as callers are patient. */
const MAX_FAILURES = 3;

/**
 * The transact loop. Single threaded, one append in flight: what waits while it is under way becomes the next batch. The
 * working state runs ahead of the log by that one batch, and the journal takes it back if it does not come to be. Nothing is
 * answered before its events are committed.
 */
export class Engine {
  readonly counters: AppendCounters = { batches: 0, events: 0, conflicts: 0, unknown: 0, failed: 0 };
  readonly #options: EngineOptions;
  readonly #decider: Decider;
  readonly #slice: Slice;
  /** Held while an append is in flight, or the log is read or doubted. */
  readonly #queue: CommandQueue;
  #draining = false;
  #accepts = true;
  /** What the listener was told last: not each try to find out whether the log accepts again. */
  #toldAccepts = true;
  /** Of the last event that is committed: while an append is in flight the state is ahead of it. */
  committedRevision: number;
  committedAt: number;
  #conflictsInRow = 0;
  #vainConflicts = 0;
  #failuresInRow = 0;
  #failingSinceMs = 0;
  #behindTo = -1;
  /** What came while an append was under way, without gaps: own events, or those that have defeated it. */
  #ahead: RecordedPoolEvent[] = [];
  /** The log has been away for longer than callers are kept waiting. */
  #patienceOver = false;
  /** Runs while an append, or a read, has not been answered definitely: never while others are waited for, or what they wrote is read. */
  #cancelPatience: (() => void) | undefined;
  /** While another writer's turn is waited for: what it appends is taken in, and with the rest of its batch the turn is over. */
  #rest: { readonly settle: () => void; readonly cancel: () => void } | undefined;
  readonly #unknownFailure: RepeatedFailure;
  readonly #definiteFailure: RepeatedFailure;
  readonly #readFailure: RepeatedFailure;
  #closing: AbortController = new AbortController();
  #idle: (() => void)[] = [];
  #poison: unknown;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.committedRevision = options.state.revision;
    this.committedAt = options.state.at;
    const { state, journal, context, logger, listener } = options;
    const limits = appendLimits(options.store.traits);
    const failure = (what: string) => new RepeatedFailure({ logger, nowMs: () => options.clock.monotonic(), what });
    this.#unknownFailure = failure('the outcome of an append is unknown');
    this.#definiteFailure = failure('an append failed; nothing was written');
    this.#readFailure = failure('the tail of the log could not be read');
    const slice = new Slice(nextTurn, () => options.clock.monotonic());
    this.#slice = slice;
    const isOver = (): boolean => slice.isOver;
    const deciding = (call: Call): void => listener.deciding(call);
    this.#decider = { state, journal, context, limits, logger, isOver, deciding, following: options.following };
    this.#queue = new CommandQueue({
      limit: options.mailboxLimit,
      wake: options.store.traits.durable ? 'immediate' : 'microtask',
      drain: () => this.#drain(),
    });
  }

  /** Ahead of the log while an append is in flight: for deciding, not for readers. */
  get state(): PoolState {
    this.#options.journal.goForth();
    return this.#options.state;
  }

  /** What is committed, and nothing else: while an append is in flight, the state without it. To be read at once, not kept. */
  get committed(): PoolState {
    if (!this.#draining) this.#options.journal.goBack();
    return this.#options.state;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** An append is under way, or the log is read or doubted. */
  get inFlight(): boolean {
    return this.#queue.held;
  }

  /** False while the last append's outcome is unknown, or after it failed. */
  get accepts(): boolean {
    return this.#accepts && this.poison === undefined && this.trouble === undefined;
  }

  /** Why nothing is served any more: a history that is impossible, a bug, or a log that is not the one that was opened. */
  get poison(): unknown {
    return this.#poison ?? this.#options.store.condition?.poison;
  }

  /** Why nothing can be recorded now, as the store says. */
  get trouble(): PoolError | undefined {
    return this.#options.store.condition?.trouble;
  }

  /** An allocate: refused at once when too many wait, or when the log does not accept. */
  offer(call: Call): void {
    if (this.poison !== undefined) call.failed(this.#poisoned());
    else if (this.trouble !== undefined) call.failed(outage('LOG_UNAVAILABLE', this.trouble.message, RETRY_AFTER_MS));
    else if (!this.#accepts || this.#patienceOver)
      call.failed(outage('LOG_UNAVAILABLE', 'the event store does not accept events', RETRY_AFTER_MS));
    else if (!this.#queue.offer(call))
      call.failed(outage('OVERLOADED', `${this.#queue.size} commands wait already`, RETRY_AFTER_MS));
  }

  /** Release, renew, cancel and the manager's own commands always pass, unless the log has been away for too long. */
  enqueue(call: Call): void {
    if (this.poison !== undefined) call.failed(this.#poisoned());
    else if (this.#patienceOver && call.asked) call.failed(outage('LOG_UNAVAILABLE', NO_ANSWER, RETRY_AFTER_MS));
    else if (!this.#queue.enqueue(call)) call.failed(outage('DRAINING', 'the manager is closed', RETRY_AFTER_MS));
  }

  /** Before everything that waits: for a breaker's change that is in force already. */
  enqueueFront(call: Call): void {
    this.#queue.enqueueFront(call);
  }

  /** Another writer's events, as a subscription delivers them. Own ones, and ones that are known, are passed over. */
  receive(events: readonly RecordedPoolEvent[]): void {
    const last = events.at(-1);
    if (last === undefined || last.revision <= this.committedRevision || this.poison !== undefined) return;
    if (this.#draining || (this.#queue.held && this.#rest === undefined)) {
      this.#keep(events, last.revision);
      return;
    }
    if (events[0]!.revision > this.state.revision + 1) this.#catchUp();
    else this.#foldForeign(events.filter((event) => event.revision > this.state.revision));
    this.#rest?.settle();
  }

  #keep(events: readonly RecordedPoolEvent[], last: number): void {
    this.#behindTo = Math.max(this.#behindTo, last);
    const follows = this.#ahead.length === 0 || events[0]!.revision === this.#ahead.at(-1)!.revision + 1;
    if (follows && this.#ahead.length < MAX_AHEAD) this.#ahead.push(...events);
  }

  /** Takes in what was kept, as far as it follows. */
  #foldAhead(): void {
    const { revision } = this.state;
    const events = this.#ahead.filter((event) => event.revision > revision);
    this.#ahead = [];
    if (events[0]?.revision === revision + 1) this.#foldForeign(events);
  }

  /** Resolves when nothing waits and nothing is in flight. */
  whenIdle(): Promise<void> {
    if (!this.#queue.held && this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  /** What waits is still decided; what is unknown is given up with a barrier. */
  async close(): Promise<void> {
    this.#closing.abort();
    do await this.whenIdle();
    while (this.#queue.held || this.waiting > 0); // who was just answered may have asked again
    this.#queue.close();
  }

  #drain(): void {
    if (this.#draining || this.#queue.held || this.#queue.betweenTurns) return;
    if (this.poison !== undefined) {
      this.#giveUp();
      return;
    }
    if (this.waiting > 0 && this.#rests()) return;
    this.#draining = true;
    try {
      this.#transact(this.#queue.next());
    } finally {
      this.#draining = false;
    }
    if (!this.#queue.held) this.#afterDrain();
  }

  /** It is another writer's turn. */
  #rests(): boolean {
    const { clock, rotation } = this.#options;
    const waitMs = rotation?.waitMs(clock.monotonic()) ?? 0;
    if (waitMs <= 0) return false;
    this.#queue.hold();
    const end = (): void => {
      this.#rest = undefined;
      this.#queue.release();
      this.#drain();
    };
    let cancel = clock.schedule(waitMs, end);
    const settle = (): void => {
      cancel();
      cancel = clock.schedule(SETTLE_MS, end);
    };
    this.#rest = { settle, cancel: () => cancel() };
    return true;
  }

  #afterDrain(): void {
    if (this.#ahead.length > 0) this.#foldAhead();
    if (this.#behindTo > this.state.revision) this.#catchUp();
    else if (this.#idle.length > 0 && this.waiting === 0) this.#tellIdle();
  }

  #tellIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #transact(calls: readonly Call[]): void {
    const batch = new BatchBuilder(this.state.revision);
    const beganMs = this.#options.clock.monotonic();
    this.#slice.begin();
    const taken = decideBatch(calls, batch, this.#decider);
    if (taken < calls.length) this.#queue.putBack(calls.slice(taken));
    this.#commit(batch);
    this.#queue.worked(batch.calls.length + batch.events.length, this.#options.clock.monotonic() - beganMs);
  }

  #commit(batch: Batch): void {
    if (batch.events.length > 0) this.#write(batch);
    else {
      this.#answer(batch);
      this.#goOn(batch);
    }
  }

  #write(batch: Batch): void {
    const { clock, store, listener } = this.#options;
    listener.appendBegan(batch);
    const startedMs = store.traits.durable ? clock.monotonic() : 0;
    const result = this.#append(batch);
    if (result instanceof Promise) this.#await(batch, result, store.traits.durable ? startedMs : clock.monotonic());
    else this.#ended(batch, result, store.traits.durable ? clock.monotonic() - startedMs : 0);
  }

  #await(batch: Batch, result: Promise<AppendResult>, startedMs: number): void {
    this.#queue.hold();
    void result
      .catch((cause: unknown): AppendResult => ({ outcome: 'unknown', cause }))
      .then((ended) => {
        this.#queue.release();
        this.#ended(batch, ended, this.#options.clock.monotonic() - startedMs);
        this.#drain();
      });
  }

  #append({ events, expectedRevision }: Batch): AppendResult | Promise<AppendResult> {
    try {
      return this.#options.store.append(this.#options.stream, asFolded(events), expectedRevision);
    } catch (cause) {
      return { outcome: 'failed', cause, retryable: false };
    }
  }

  /** `durationMs`: 0 of a store in this process's memory, which is not timed. */
  #ended(batch: Batch, result: AppendResult, durationMs: number): void {
    if (result.outcome !== 'conflict') this.#options.listener.appendEnded(result.outcome === 'appended', durationMs);
    switch (result.outcome) {
      case 'appended':
        this.#options.rotation?.appended(durationMs, this.#options.clock.monotonic());
        this.#appended(batch);
        break;
      case 'conflict':
        this.counters.conflicts += 1;
        this.#away(() => this.#lost(batch, result.revision));
        break;
      case 'failed':
        this.#failed(batch, result);
        break;
      case 'unknown':
        this.counters.unknown += 1;
        this.#unknownFailure.failed(result.cause, { revision: batch.expectedRevision });
        this.#startPatience(batch);
        this.#away(() => this.#unknown(batch));
    }
  }

  #appended(batch: Batch): void {
    this.#conflictsInRow = 0;
    this.#vainConflicts = 0;
    this.#failuresInRow = 0;
    this.#unknownFailure.ended();
    this.#definiteFailure.ended();
    this.counters.batches += 1;
    this.counters.events += batch.events.length;
    this.#options.journal.clear();
    this.state.ended.settle();
    this.#mark();
    this.#setAccepts(true);
    this.#answer(batch);
    this.#options.listener.committed(batch.events, batch.leases, true);
    this.#goOn(batch);
  }

  /** What a command left to be done takes its turn behind all that has come by now: however much it is, it holds nobody up. */
  #goOn({ more }: Batch): void {
    for (const next of more) this.enqueue(this.#options.following(next));
  }

  #answer({ calls, answers }: Batch): void {
    for (let i = 0; i < calls.length; i++) {
      const answer = answers[i]!;
      if (answer.kind === 'refused') this.#options.listener.refused(calls[i]!, answer.refusal);
      else if (answer.kind === 'lease' && answer.replayed) this.#options.listener.replayed(calls[i]!);
      calls[i]!.answered(answer);
    }
  }

  /**
   * Another writer was first: takes the batch back, folds what it missed and decides the same commands again. What the
   * subscription has brought by now needs no reading, if it goes as far as the log did.
   */
  async #lost(batch: Batch, logEnd = Number.POSITIVE_INFINITY): Promise<void> {
    this.#options.journal.undoTo(0);
    this.#conflictsInRow += 1;
    this.#vainConflicts += 1;
    const hopeless = this.#vainConflicts > MAX_VAIN_CONFLICTS;
    this.#queue.putBack(hopeless ? this.#refuseAll(batch.calls, CONTRADICTION) : batch.calls);
    if (this.#conflictsInRow > 2) await sleep(this.#options.clock, backoffMs(1, 1, MAX_PAUSE_MS, this.#options.jitter));
    this.#foldAhead();
    if (this.state.revision < logEnd) await this.#foldTail();
  }

  #failed(batch: Batch, { cause, retryable }: { cause: unknown; retryable: boolean }): void {
    this.counters.failed += 1;
    this.#failuresInRow += 1;
    if (this.#failuresInRow === 1) this.#failingSinceMs = this.#options.clock.monotonic();
    this.#options.journal.undoTo(0);
    this.#definiteFailure.failed(cause, { revision: batch.expectedRevision });
    const patient = this.#options.clock.monotonic() - this.#failingSinceMs < this.#options.unknown.patienceMs;
    const again = retryable && (patient || this.#failuresInRow <= MAX_FAILURES);
    const kept = again ? batch.calls : this.#refuseAll(batch.calls, 'the event store failed', cause);
    if (again || !this.#closing.signal.aborted) this.#queue.putBack(kept);
    if (again) this.#accepts = true;
    else this.#setAccepts(false);
    this.#startPatience();
    this.#away(() => this.#pause());
  }

  /** The next batch after it is the probe of whether the store accepts again. */
  async #pause(): Promise<void> {
    const { clock, jitter } = this.#options;
    await sleep(clock, backoffMs(this.#failuresInRow, 10, 1_000, jitter), this.#closing.signal);
    this.#accepts = true;
  }

  async #unknown(batch: Batch): Promise<void> {
    this.#setAccepts(false);
    const { store, stream, clock, jitter, unknown, barrier } = this.#options;
    const outcome = await resolveUnknown(batch, {
      store,
      stream,
      clock,
      jitter,
      failure: this.#unknownFailure,
      barrier,
      limits: unknown,
      closing: this.#closing.signal,
      appendEnded: (ok, durationMs) => this.#options.listener.appendEnded(ok, durationMs),
    });
    if (outcome !== 'abandoned') this.#endPatience();
    if (outcome === 'abandoned') this.#abandon(batch);
    else if (outcome === 'applied') this.#appended(batch);
    else await this.#lost(batch);
    this.#setAccepts(outcome !== 'abandoned');
  }

  /** Closed in doubt: the state is not known any more, and is not to be read or written from. */
  #abandon(batch: Batch): void {
    this.#patienceEnded(batch);
    this.#queue.takeAll();
    this.#poison =
      this.#options.store.condition?.poison ??
      new PoolError('OUTCOME_UNKNOWN', 'closed while the outcome of an append was unknown');
  }

  /** Callers have waited long enough: those in doubt learn that nobody knows, those behind them that nothing was done. */
  #patienceEnded(doubtful: Batch | undefined): void {
    const unknown = new PoolError('OUTCOME_UNKNOWN', 'the event store did not say whether it was done', {
      details: { retryAfterMs: RETRY_AFTER_MS },
    });
    for (const call of doubtful?.calls ?? []) if (call.asked) call.failed(unknown);
    this.#queue.putBack(this.#refuseAll(this.#queue.takeAll(), NO_ANSWER));
    this.#patienceOver = true;
  }

  /** Tells the callers, and gives back the manager's own commands, which are tried again. */
  #refuseAll(calls: readonly Call[], why: string, cause?: unknown): Call[] {
    for (const call of calls) if (call.asked) call.failed(outage('LOG_UNAVAILABLE', why, RETRY_AFTER_MS, cause));
    return calls.filter((call) => !call.asked);
  }

  /** Nothing is decided until `work` has ended. */
  #away(work: () => Promise<void>): void {
    this.#queue.hold();
    this.#rest?.cancel();
    this.#rest = undefined;
    work()
      .catch((error: unknown) => this.#crash(error))
      .then(() => {
        this.#endPatience();
        this.#queue.release();
        this.#drain();
      });
  }

  /** Callers wait for a log that does not answer only so long; what became of `doubtful` nobody can tell them. */
  #startPatience(doubtful?: Batch): void {
    const { clock, unknown } = this.#options;
    this.#cancelPatience ??= clock.schedule(unknown.patienceMs, () => this.#patienceEnded(doubtful));
  }

  #endPatience(): void {
    this.#cancelPatience?.();
    this.#cancelPatience = undefined;
    this.#patienceOver = false;
  }

  #catchUp(): void {
    this.#away(() => this.#foldTail());
  }

  async #foldTail(): Promise<void> {
    const { store, stream, clock, jitter } = this.#options;
    for (let attempt = 1; attempt <= 3 || !this.#closing.signal.aborted; attempt++) {
      try {
        const tail = readRange<RecordedPoolEvent>(store, stream, this.state.revision + 1, undefined, {
          turn: nextTurn,
        });
        for await (const events of tail) this.#foldForeign(events);
        this.#readFailure.ended();
        this.#endPatience();
        this.#setAccepts(true);
        return;
      } catch (error) {
        if (this.poison !== undefined) throw error;
        this.#setAccepts(false);
        this.#startPatience();
        this.#readFailure.failed(error);
        await sleep(clock, backoffMs(attempt, 10, 2_000, jitter), this.#closing.signal);
      }
    }
  }

  #foldForeign(events: readonly RecordedPoolEvent[]): void {
    const { state } = this;
    const leases: (LeaseRecord | undefined)[] = [];
    try {
      for (const event of events) leases.push(evolve(state, event));
    } catch (error) {
      this.#crash(error);
      throw error;
    }
    this.#vainConflicts = 0;
    this.#mark();
    this.#options.rotation?.observed(events, this.#options.clock.monotonic());
    this.#options.listener.committed(events, leases, false);
  }

  #mark(): void {
    this.committedRevision = this.state.revision;
    this.committedAt = this.state.at;
  }

  /** An impossible history or a bug: nothing more is promised. */
  #crash(error: unknown): void {
    if (this.#poison !== undefined) return;
    this.#poison = error;
    this.#options.logger.error({ err: error, revision: this.state.revision }, 'the manager serves no more');
    this.#giveUp();
  }

  /** Nothing is decided any more: whoever waits is told so. */
  #giveUp(): void {
    for (const call of this.#queue.takeAll()) call.failed(this.#poisoned());
    this.#tellIdle();
  }

  #poisoned(): PoolError {
    const poison = this.poison;
    if (isPoolError(poison) && poison.code === 'LOG_UNAVAILABLE')
      return outage('LOG_UNAVAILABLE', poison.message, RETRY_AFTER_MS);
    return new PoolError('INTERNAL', 'the manager has stopped serving after an internal error', {
      cause: poison,
    });
  }

  #setAccepts(accepts: boolean): void {
    this.#accepts = accepts;
    if (this.#toldAccepts === accepts) return;
    this.#toldAccepts = accepts;
    this.#options.listener.logAccepts(accepts);
  }
}
