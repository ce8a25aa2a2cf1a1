import type { PoolState } from '../domain/state.ts';
import { appendLimits } from '../eventstore/append-limits.ts';
import { PoolError } from '../model/errors.ts';
import { type AppendResult, asFolded } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { RepeatedFailure } from '../model/repeated-failure.ts';
import { backoffMs, sleep } from '../time/backoff.ts';
import { nextTurn, Slice } from '../time/turn.ts';
import { type Batch, BatchBuilder, type Decider, decideBatch } from './batch.ts';
import type { Call } from './call.ts';
import { CommandQueue } from './command-queue.ts';
import type { AppendCounters, EngineOptions } from './engine-options.ts';
import { ForeignEvents } from './foreign-events.ts';
import { draining, overloaded, Patience, poisonError, refuseAsked, tellDoubt, unavailable } from './patience.ts';
import { ALLOWED, type Allowed, type Away, CLOSED, DECIDING, IDLE, type Phase } from './phase.ts';
import { resolveUnknown } from './unknown-outcome.ts';

/** In a row, each without anything new in the log: then the store is wrong. Defeats by others, however many, are no outage. */
const MAX_VAIN_CONFLICTS = 1_000;
/** The rest of another writer's batch of which a part has come is here by then. */
const REST_OF_BATCH_MS = 1;
/** After a defeat; drawn, so that two that lost together do not meet again. */
const MAX_PAUSE_MS = 3;
const CONTRADICTION = 'the event store tells of conflicts, but shows nothing that another has written';

/**
 * The transact loop. Single threaded, one append in flight: what waits while it is under way becomes the next batch. The
 * working state runs ahead of the log by that one batch, and the journal takes it back if it does not come to be. Nothing is
 * answered before its events are committed. What it is at is its `Phase`; what it may do in it is in one table, `ALLOWED`.
 */
export class Engine {
  readonly counters: AppendCounters = { batches: 0, events: 0, conflicts: 0, unknown: 0, failed: 0 };
  /** Of the last event that is committed: while an append is in flight the state is ahead of it. */
  committedRevision: number;
  committedAt: number;
  readonly #options: EngineOptions;
  readonly #decider: Decider;
  readonly #slice: Slice;
  readonly #queue: CommandQueue;
  readonly #foreign: ForeignEvents;
  readonly #patience: Patience;
  readonly #unknownFailure: RepeatedFailure;
  readonly #definiteFailure: RepeatedFailure;
  readonly #closing: AbortController = new AbortController();
  #phase: Phase = IDLE;
  #allowed: Allowed = ALLOWED.idle;
  #conflictsInRow = 0;
  #vainConflicts = 0;
  #idle: (() => void)[] = [];

  constructor(options: EngineOptions) {
    const { state, journal, context, logger, listener, clock, store, unknown } = options;
    this.#options = options;
    this.committedRevision = state.revision;
    this.committedAt = state.at;
    const limits = appendLimits(store.traits);
    const failure = (what: string) => new RepeatedFailure({ logger, nowMs: () => clock.monotonic(), what });
    this.#unknownFailure = failure('the outcome of an append is unknown');
    this.#definiteFailure = failure('an append failed; nothing was written');
    const slice = new Slice(nextTurn, () => clock.monotonic());
    this.#slice = slice;
    const isOver = (): boolean => slice.isOver;
    const deciding = (call: Call): void => listener.deciding(call);
    this.#decider = { state, journal, context, limits, logger, isOver, deciding, following: options.following };
    this.#queue = new CommandQueue({
      limit: options.mailboxLimit,
      wake: store.traits.durable ? 'immediate' : 'microtask',
      drain: () => this.#drain(),
    });
    this.#patience = new Patience({
      clock,
      patienceMs: unknown.patienceMs,
      over: () => this.#patienceOver(),
      logAccepts: (accepts) => listener.logAccepts(accepts),
    });
    this.#foreign = this.#foreignEvents(failure('the tail of the log could not be read'));
  }

  /** Ahead of the log while an append is in flight: for deciding, not for readers. */
  get state(): PoolState {
    this.#options.journal.goForth();
    return this.#options.state;
  }

  /** What is committed, and nothing else: while an append is in flight, the state without it. To be read at once, not kept. */
  get committed(): PoolState {
    if (this.#allowed.lookBack) this.#options.journal.goBack();
    return this.#options.state;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** An append is under way, another writer's turn is awaited, or the log is read or doubted. */
  get inFlight(): boolean {
    return this.#allowed.hold;
  }

  /** False while the last append's outcome is unknown, or after it failed. */
  get accepts(): boolean {
    return this.#patience.accepts && this.poison === undefined && this.trouble === undefined;
  }

  /** Why nothing is served any more: a history that is impossible, a bug, or a log that is not the one that was opened. */
  get poison(): unknown {
    return this.#phase.is === 'poisoned' ? this.#phase.error : this.#options.store.condition?.poison;
  }

  /** Why nothing can be recorded now, as the store says. */
  get trouble(): PoolError | undefined {
    return this.#options.store.condition?.trouble;
  }

  /** An allocate: refused at once when too many wait, or when the log does not accept. */
  offer(call: Call): void {
    const refusal =
      this.#shut() ?? (this.trouble && unavailable(this.trouble.message)) ?? this.#patience.refusesAllocate();
    if (refusal !== undefined) call.failed(refusal);
    else if (!this.#queue.offer(call)) call.failed(overloaded(this.waiting));
  }

  /** Release, renew, cancel and the manager's own commands are always taken in, unless the log has been away for too long. */
  enqueue(call: Call): void {
    const refusal = this.#shut() ?? this.#patience.refuses(call);
    if (refusal !== undefined) call.failed(refusal);
    else this.#queue.enqueue(call);
  }

  /** Before everything that waits: for a breaker's change that is in force already. */
  enqueueFront(call: Call): void {
    const refusal = this.#shut();
    if (refusal !== undefined) call.failed(refusal);
    else this.#queue.enqueueFront(call);
  }

  /** Another writer's events, as a subscription delivers them. Own ones, and ones that are known, are passed over. */
  receive(events: readonly RecordedPoolEvent[]): void {
    const last = events.at(-1);
    if (last === undefined || last.revision <= this.committedRevision || this.poison !== undefined) return;
    if (this.#allowed.foreign === 'ignored') return;
    if (this.#allowed.foreign === 'kept') this.#foreign.keep(events);
    else if (!this.#foreign.fold(events)) this.#catchUp();
    else if (this.#phase.is === 'yielding') this.#yieldFor(REST_OF_BATCH_MS);
  }

  /** Resolves when nothing waits and nothing is in flight. */
  whenIdle(): Promise<void> {
    if (!this.#allowed.hold && this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  /** What waits is still decided; what is unknown is given up with a barrier. */
  async close(): Promise<void> {
    this.#closing.abort();
    do await this.whenIdle();
    while (this.#allowed.hold || this.waiting > 0); // who was just answered may have asked again
    if (this.#phase.is !== 'poisoned') this.#enter(CLOSED);
  }

  /** The one place where the phase changes. */
  #enter(phase: Phase): void {
    if (this.#phase.is === 'yielding') this.#phase.cancel();
    const held = this.#allowed.hold;
    this.#phase = phase;
    this.#allowed = ALLOWED[phase.is];
    if (this.#allowed.hold && !held) this.#queue.hold();
    else if (held && !this.#allowed.hold) this.#queue.release();
    if (phase.is !== 'poisoned') return;
    for (const call of this.#queue.takeAll()) call.failed(poisonError(phase.error));
    this.#tellIdle();
  }

  /** Why no command at all is taken in; undefined if they are. */
  #shut(): PoolError | undefined {
    const { poison } = this;
    if (poison !== undefined) return poisonError(poison);
    return this.#allowed.commands ? undefined : draining();
  }

  #drain(): void {
    if (!this.#allowed.decide || this.#queue.betweenTurns) return;
    const { poison } = this;
    const waitMs = poison === undefined && this.waiting > 0 ? this.#othersTurnMs() : 0;
    if (poison !== undefined) this.#enter({ is: 'poisoned', error: poison });
    else if (waitMs > 0) this.#yieldFor(waitMs);
    else this.#decideNext();
  }

  #decideNext(): void {
    this.#enter(DECIDING);
    try {
      this.#transact(this.#queue.next());
    } finally {
      if (this.#phase === DECIDING) this.#enter(IDLE);
    }
    if (this.#phase === IDLE) this.#afterBatch();
  }

  /** How long it is another writer's turn, ms. */
  #othersTurnMs(): number {
    const { clock, rotation } = this.#options;
    return rotation?.waitMs(clock.monotonic()) ?? 0;
  }

  #yieldFor(waitMs: number): void {
    const cancel = this.#options.clock.schedule(waitMs, () => {
      this.#enter(IDLE);
      this.#drain();
    });
    this.#enter({ is: 'yielding', cancel });
  }

  #afterBatch(): void {
    this.#foreign.foldKept();
    if (this.#foreign.areMissing) this.#catchUp();
    else if (this.waiting === 0) this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#idle.length === 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #transact(calls: readonly Call[]): void {
    const batch = new BatchBuilder(this.state.revision);
    this.#slice.begin();
    const taken = decideBatch(calls, batch, this.#decider);
    if (taken < calls.length) this.#queue.putBack(calls.slice(taken));
    if (batch.events.length > 0) this.#write(batch);
    else {
      this.#answer(batch);
      this.#enqueueMore(batch);
    }
    this.#queue.worked(batch.calls.length + batch.events.length, this.#slice.spentMs);
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
    this.#enter({ is: 'appending', batch });
    void result
      .catch((cause: unknown): AppendResult => ({ outcome: 'unknown', cause }))
      .then((ended) => {
        this.#ended(batch, ended, this.#options.clock.monotonic() - startedMs);
        if (this.#phase.is === 'appending') this.#enter(IDLE);
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
        this.#goAway({ is: 'away', why: 'defeated' }, () => this.#defeated(batch, result.revision));
        break;
      case 'failed':
        this.#failed(batch, result);
        break;
      case 'unknown':
        this.counters.unknown += 1;
        this.#unknownFailure.failed(result.cause, { revision: batch.expectedRevision });
        this.#patience.start();
        this.#goAway({ is: 'away', why: 'unknown', doubtful: batch }, () => this.#unknown(batch));
    }
  }

  #appended(batch: Batch): void {
    this.#conflictsInRow = 0;
    this.#vainConflicts = 0;
    this.#patience.failuresInRow = 0;
    this.#unknownFailure.ended();
    this.#definiteFailure.ended();
    this.counters.batches += 1;
    this.counters.events += batch.events.length;
    this.#options.journal.clear();
    this.state.ended.settle();
    this.#mark();
    this.#patience.accepted();
    this.#answer(batch);
    this.#options.listener.committed(batch.events, batch.leases, true);
    this.#enqueueMore(batch);
  }

  /** What a command left to be done takes its turn behind all that has come by now: however much it is, it holds nobody up. */
  #enqueueMore({ more }: Batch): void {
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

  /** Nothing is decided until `work` has ended. */
  #goAway(phase: Away, work: () => Promise<void>): void {
    this.#enter(phase);
    work()
      .catch((error: unknown) => this.#crash(error))
      .then(() => {
        this.#patience.end();
        if (this.#phase.is === 'away') this.#enter(IDLE);
        this.#drain();
      });
  }

  /**
   * Another writer was first: takes the batch back, folds what it missed and decides the same commands again. What the
   * subscription has brought by now needs no reading, if it goes as far as the log did.
   */
  async #defeated(batch: Batch, logEnd = Number.POSITIVE_INFINITY): Promise<void> {
    const { clock, jitter, journal } = this.#options;
    journal.undoTo(0);
    this.#conflictsInRow += 1;
    this.#vainConflicts += 1;
    const hopeless = this.#vainConflicts > MAX_VAIN_CONFLICTS;
    this.#queue.putBack(hopeless ? refuseAsked(batch.calls, CONTRADICTION) : batch.calls);
    if (this.#conflictsInRow > 2) await sleep(clock, backoffMs(1, 1, MAX_PAUSE_MS, jitter));
    this.#foreign.foldKept();
    if (this.state.revision < logEnd) await this.#readTail();
  }

  #failed(batch: Batch, { cause, retryable }: { cause: unknown; retryable: boolean }): void {
    this.counters.failed += 1;
    this.#options.journal.undoTo(0);
    this.#definiteFailure.failed(cause, { revision: batch.expectedRevision });
    const again = this.#patience.appendFailed() && retryable;
    const kept = again ? batch.calls : refuseAsked(batch.calls, 'the event store failed', cause);
    if (again || !this.#closing.signal.aborted) this.#queue.putBack(kept);
    if (!again) this.#patience.refused();
    this.#patience.start();
    this.#goAway({ is: 'away', why: 'failed' }, () => this.#pause());
  }

  /** The next batch after it is the probe of whether the store accepts again. */
  async #pause(): Promise<void> {
    const { clock, jitter } = this.#options;
    await sleep(clock, backoffMs(this.#patience.failuresInRow, 10, 1_000, jitter), this.#closing.signal);
    this.#patience.probe();
  }

  async #unknown(batch: Batch): Promise<void> {
    this.#patience.refused();
    const { unknown: limits, listener } = this.#options;
    const outcome = await resolveUnknown(batch, {
      ...this.#options,
      failure: this.#unknownFailure,
      limits,
      closing: this.#closing.signal,
      appendEnded: (ok, durationMs) => listener.appendEnded(ok, durationMs),
    });
    if (outcome === 'abandoned') {
      this.#abandon(batch);
      return;
    }
    this.#patience.end();
    if (outcome === 'applied') this.#appended(batch);
    else {
      this.#enter({ is: 'away', why: 'defeated' });
      await this.#defeated(batch);
    }
    this.#patience.accepted();
  }

  /** Closed in doubt: the state is not known any more, and is not to be read or written from. */
  #abandon({ calls }: Batch): void {
    tellDoubt(calls);
    refuseAsked(this.#queue.takeAll());
    const why = new PoolError('OUTCOME_UNKNOWN', 'closed while the outcome of an append was unknown');
    this.#enter({ is: 'poisoned', error: this.#options.store.condition?.poison ?? why });
  }

  /** Callers have waited long enough: those in doubt learn that nobody knows, those behind them that nothing was done. */
  #patienceOver(): void {
    if (this.#phase.is === 'away' && this.#phase.doubtful !== undefined) tellDoubt(this.#phase.doubtful.calls);
    this.#queue.putBack(refuseAsked(this.#queue.takeAll()));
    this.#patience.runOut();
  }

  #catchUp(): void {
    this.#goAway({ is: 'away', why: 'behind' }, () => this.#readTail());
  }

  async #readTail(): Promise<void> {
    if (!(await this.#foreign.readTail())) return;
    this.#patience.end();
    this.#patience.accepted();
  }

  #foreignEvents(failure: RepeatedFailure): ForeignEvents {
    const { store, stream, clock, jitter, rotation, listener } = this.#options;
    return new ForeignEvents({
      store,
      stream,
      clock,
      jitter,
      failure,
      state: () => this.state,
      closing: this.#closing.signal,
      isPoisoned: () => this.poison !== undefined,
      impossible: (error) => this.#crash(error),
      readFailed: () => {
        this.#patience.refused();
        this.#patience.start();
      },
      folded: (events, leases) => {
        this.#vainConflicts = 0;
        this.#mark();
        rotation?.observed(events, clock.monotonic());
        listener.committed(events, leases, false);
      },
    });
  }

  #mark(): void {
    this.committedRevision = this.state.revision;
    this.committedAt = this.state.at;
  }

  /** An impossible history or a bug: nothing more is promised. */
  #crash(error: unknown): void {
    if (this.#phase.is === 'poisoned') return;
    this.#options.logger.error({ err: error, revision: this.state.revision }, 'the manager serves no more');
    this.#enter({ is: 'poisoned', error });
  }
}
