import { BreakerGate } from '../domain/breaker/breaker.ts';
import type { DecisionContext } from '../domain/decide/answer.ts';
import { Journal } from '../domain/ledger/journal.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import type { Batch } from '../engine/batch.ts';
import { type Call, OwnCall } from '../engine/call.ts';
import { Engine } from '../engine/engine.ts';
import type { EngineListener } from '../engine/engine-options.ts';
import type { ShapeCache } from '../engine/shape-cache.ts';
import { WriterRotation } from '../engine/writer-rotation.ts';
import { sha256 } from '../eventstore/sha256.ts';
import type { LiveActors } from '../machines/live/actors.ts';
import type { Clock } from '../model/clock.ts';
import type { CommandData, CommandOf, CommandType } from '../model/commands.ts';
import type { ResolvedConfig } from '../model/config/config.ts';
import type { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import { type NewEvent, type RecordedPoolEvent, SCHEMA_VERSIONS } from '../model/events.ts';
import { eventId, poolStream } from '../model/ids.ts';
import type { Logger, ResourceIssue } from '../model/interfaces.ts';
import type { Refusal } from '../model/refusals.ts';
import { canonicalMembers } from '../model/values/canonical.ts';
import { VERSION } from '../model/version.ts';
import type { ReadModel } from '../reading/read-model.ts';
import type { Jitter } from '../time/backoff.ts';
import { Committed } from '../time/committed.ts';
import { Slice } from '../time/turn.ts';
import { BreakerKeeper } from './breaker-keeper.ts';
import type { AllocateCall, AllocateDesk } from './callers/allocate-call.ts';
import { LeaseWatches } from './callers/lease-watch.ts';
import { type Stamp, SYSTEM } from './callers/stamp.ts';
import { Waiters } from './callers/waiters.ts';
import { DeadlineKeeper } from './deadlines/deadline-keeper.ts';
import { cameBack, issueOf } from './feeds/alerts.ts';
import { AuditLog } from './feeds/audit-log.ts';
import { LogWatch } from './feeds/log-watch.ts';
import { SnapshotWriter } from './feeds/snapshots.ts';
import type { Tuning } from './options.ts';
import { FollowOthers } from './writers/follow-others.ts';
import { WriterWatch } from './writers/writer-watch.ts';

export interface CoreOptions {
  readonly store: EventStore;
  readonly poolId: string;
  readonly hostId: string;
  readonly writerId: string;
  /** Nobody else appends to this log. */
  readonly alone: boolean;
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly logger: Logger;
  readonly tuning: Tuning;
  readonly stamp: Stamp;
  readonly cache: ShapeCache;
  readonly readings: ReadModel;
  readonly committedEvents: Committed;
  /** The readings' own fold of the whole log; the core's from here on. */
  readonly state: PoolState;
  readonly alert: (issue: ResourceIssue) => void;
  readonly sampleFaster: () => void;
  readonly reconfigured: () => void;
}

/** The running parts of a manager, joined: the engine, and everything that a committed event moves. */
export class Core implements EngineListener, AllocateDesk {
  readonly options: CoreOptions;
  readonly engine: Engine;
  readonly gate: BreakerGate;
  readonly breaker: BreakerKeeper;
  readonly deadlines: DeadlineKeeper;
  readonly waiters: Waiters;
  readonly watches: LeaseWatches;
  readonly audit: AuditLog;
  readonly log: LogWatch;
  readonly live: LiveActors;
  readonly snapshots: SnapshotWriter;
  /** Of a log that others may append to. */
  readonly writers: WriterWatch | undefined;
  readonly others: FollowOthers | undefined;
  /** Second releases of one lease: they change nothing, so no event counts them. */
  duplicateReleases = 0;
  /** Batches in which a mode or the configuration changes: the live actors hear of nothing else. */
  readonly #changes = new Committed();
  #cancelSweep: () => void = () => undefined;
  /** The monotonic clock as it was read for the batch that is followed, once at most. */
  #nowMs: number | undefined;

  constructor(options: CoreOptions) {
    const { store, poolId, writerId, clock, jitter, logger, tuning, stamp, cache, readings, state } = options;
    const stream = poolStream(poolId);
    this.options = options;
    this.gate = new BreakerGate(state.config);
    const context: DecisionContext = { writerId, breaker: this.gate, planFor: cache.planFor };
    this.waiters = new Waiters(state);
    this.watches = new LeaseWatches(clock);
    this.snapshots = new SnapshotWriter({
      store,
      stream,
      logger,
      clock,
      every: store.traits.durable ? tuning.snapshotEvery : Number.POSITIVE_INFINITY,
      take: () => readings.snapshot(),
    });
    this.engine = new Engine({
      store,
      stream,
      state,
      journal: new Journal(),
      context,
      clock,
      jitter,
      logger,
      mailboxLimit: () => state.config.overload.mailboxLimit,
      listener: this,
      unknown: tuning.unknown,
      barrier: () => this.#barrier(),
      rotation: store.traits.shared ? new WriterRotation(stamp.nextId()) : undefined,
      following: ({ type, data }) => new OwnCall(stamp.command(type, data)),
    });
    readings.handOver(() => this.engine.committed);
    this.audit = new AuditLog({
      store,
      poolId,
      writerId,
      clock,
      jitter,
      logger,
      nextId: stamp.nextId,
      recorded: (events) => readings.audited(events),
      maxPerSecond: tuning.refusalsPerSecond,
    });
    this.log = new LogWatch({ store, clock, alert: options.alert, lost: (why) => this.abandonWaiters(why) });
    this.deadlines = new DeadlineKeeper({
      clock,
      state,
      committedRevision: () => this.engine.committedRevision,
      jitter,
      submit: (type, data) => this.submit(type, data),
    });
    this.writers = options.alone ? undefined : this.#writerWatch();
    this.others = options.alone ? undefined : new FollowOthers(clock, () => this.engine.inFlight);
    this.live = tuning.liveActors({
      clock,
      writerId,
      committed$: this.#changes.committed$,
      dispatch: (command) => {
        if (command.type === 'TriggerBreaker') this.breaker.trigger(command.data.trigger, command.data.generation);
        else this.submit(command.type, command.data);
      },
      sampleFaster: options.sampleFaster,
    });
    this.breaker = new BreakerKeeper({
      gate: this.gate,
      writerId,
      state,
      clock,
      jitter,
      changed: (change) => this.live.breakerChanged({ writerId, ...change }),
      record: (data, at, by) => {
        const command = stamp.command('TriggerBreaker', data, by?.actor ?? SYSTEM, at, by?.key);
        this.engine.enqueueFront(new OwnCall(command));
      },
    });
    this.breaker.resume(); // the appends of the start are samples, too
  }

  get state(): PoolState {
    return this.engine.state;
  }

  /** A command of the manager's own. */
  submit<T extends CommandType>(type: T, data: CommandData[T], stale?: () => boolean): void {
    this.engine.enqueue(new OwnCall(this.options.stamp.command(type, data), stale));
  }

  /** Everything that waits goes on from what is committed; the modes' timers too. Of very many leases it takes several goes of the event loop. */
  async resume(): Promise<void> {
    const { at, config, tiers } = this.engine.committed; // an append may be in flight, and may come to nothing
    const { mode, until, generation } = this.gate.record;
    const modes = tiers.map(({ name, mode, deadlineAt }) => ({ name, mode, deadlineAt }));
    this.live.start({ at, config, tiers: modes, breaker: { mode, until, generation } });
    await this.deadlines.resume();
    const slice = new Slice();
    while (!this.state.leases.keepByExpiry()) if (slice.isOver) await slice.next();
    this.writers?.start();
    this.log.start();
    this.#sweepAfter();
  }

  /** Whoever waits here is told so; their requests go, but for those that a key or `respond-async` keeps for a later caller. */
  abandonWaiters(why: PoolError): Promise<void> {
    return this.waiters.close(why);
  }

  /** Settles when no lease is left, or after `deadlineMs`. */
  emptied(deadlineMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const leave = this.options.committedEvents.subscribe(() => check());
      const cancel = deadlineMs === undefined ? () => undefined : this.options.clock.schedule(deadlineMs, () => end());
      const end = () => {
        leave();
        cancel();
        resolve();
      };
      const check = () => {
        if (this.options.readings.state.leases.size === 0) end();
      };
      check();
    });
  }

  /** Nothing is timed any more. */
  stopTimers(): void {
    this.#cancelSweep();
    this.live.stop();
    this.deadlines.stop();
    this.writers?.stop();
    this.log.stop();
    this.watches.stop();
  }

  deciding(call: Call): void {
    this.options.cache.present = call.shape;
  }

  replayed({ command }: Call): void {
    if (command.type === 'Release') this.duplicateReleases += 1;
  }

  refused({ command }: Call, refusal: Refusal): void {
    if (command.type === 'Release') this.#releasedLate(command);
    if (command.type !== 'Allocate') return;
    this.audit.refused({ request: command.data.request, refusal, breaker: this.gate.mode }, command.at, command.actor);
  }

  committed(events: readonly RecordedPoolEvent[], leases: readonly (LeaseRecord | undefined)[], own: boolean): void {
    this.#nowMs = undefined;
    this.others?.committed(own, this.#now());
    let changes = false;
    for (let i = 0; i < events.length; i++) {
      this.#follow(events[i]!, own);
      changes ||= isChange(events[i]!);
    }
    this.options.readings.apply(events, leases);
    if (changes) this.#changes.publish(events);
    this.options.committedEvents.publish(events);
    this.snapshots.committed(events.length);
  }

  appendBegan(batch: Batch): void {
    this.breaker.appendBegan(batch);
    this.others?.appendBegan(this.options.clock.monotonic());
  }

  appendEnded(ok: boolean, durationMs: number): void {
    this.breaker.appendEnded(ok, durationMs);
  }

  logAccepts(accepts: boolean): void {
    const message = accepts ? 'the event store accepts events again' : 'the event store does not accept events';
    this.options.logger[accepts ? 'info' : 'warn']({ revision: this.state.revision }, message);
  }

  wait(leaseId: string, call: AllocateCall<unknown>): void {
    this.waiters.wait(leaseId, call);
  }

  releaseOrphan({ leaseId, token }: LeaseRecord): void {
    this.submit('Release', { leaseId, token, cause: 'callerGone' });
  }

  cancelOrphan(leaseId: string): void {
    this.submit('CancelOrphans', { leaseIds: [leaseId], reason: 'callerGone' });
  }

  #releasedLate({ data, at }: CommandOf<'Release'>): void {
    const ended = this.state.ended.get(data.leaseId);
    if (ended !== undefined && ended.reason !== null && ended.lease.token === data.token)
      this.options.alert(cameBack(ended, at));
  }

  readonly #now = (): number => {
    this.#nowMs ??= this.options.clock.monotonic();
    return this.#nowMs;
  };

  readonly #endedOf = (leaseId: string) => this.state.ended.get(leaseId);

  #follow(event: RecordedPoolEvent, own: boolean): void {
    this.deadlines.follow(event, own, this.#now);
    this.waiters.follow(event);
    this.writers?.follow(event, this.#now());
    this.watches.follow(event);
    const issue = issueOf(event, this.#endedOf);
    if (issue !== undefined) this.options.alert(issue);
    if (event.type !== 'ConfigChanged') return;
    this.gate.configure(event.data.config);
    this.options.reconfigured();
  }

  #writerWatch(): WriterWatch {
    const { writerId, clock, jitter, state, tuning } = this.options;
    return new WriterWatch({
      writerId,
      clock,
      jitter,
      state,
      limits: tuning.writers,
      mark: (data) => this.submit('MarkWriter', data),
      cancel: (data, stale) => this.submit('CancelOrphans', data, stale),
    });
  }

  #sweepAfter(): void {
    this.#cancelSweep = this.options.clock.schedule(this.state.config.cleanupIntervalMs, () => {
      this.#sweepAfter();
      this.deadlines.sweep();
      this.submit('Sweep', {});
    });
  }

  /** Takes the place of a batch whose outcome nobody knows. */
  #barrier(): NewEvent {
    const { stamp, clock, writerId, hostId } = this.options;
    const id = eventId(stamp.nextId(), 1);
    return {
      id,
      type: 'WriterStarted',
      schemaVersion: SCHEMA_VERSIONS.WriterStarted,
      at: Math.max(clock.now(), this.engine.committedAt),
      data: { writerId, hostId, version: VERSION },
      metadata: { correlationId: id, causationId: id, actor: SYSTEM },
    };
  }
}

const isChange = ({ type }: RecordedPoolEvent): boolean =>
  type === 'TierModeChanged' || type === 'BreakerModeChanged' || type === 'ConfigChanged';

/** By which a configuration is told from another: SHA-256 of its canonical JSON. */
export const configHash = (config: ResolvedConfig): string => sha256(canonicalMembers(config));
