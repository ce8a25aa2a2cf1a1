import { ShapeCache } from '../engine/shape-cache.ts';
import { UNKNOWN_LIMITS } from '../engine/unknown-outcome.ts';
import { createHealthMonitor, type DefaultHealthMonitor } from '../integration/health-monitor.ts';
import { createLiveActors } from '../machines/live/actors.ts';
import type { Clock } from '../model/clock.ts';
import type { ResolvedConfig } from '../model/config/config.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import { auditStream, poolStream } from '../model/ids.ts';
import {
  type HealthMonitor,
  type Logger,
  type ResourceDetector,
  type ResourceIssue,
  SILENT,
} from '../model/interfaces.ts';
import { StoredPoolReader } from '../reading/pool-reader.ts';
import { ReadModel } from '../reading/read-model.ts';
import type { Jitter } from '../time/backoff.ts';
import { Committed } from '../time/committed.ts';
import { systemClock } from '../time/system-clock.ts';
import { nextTurn } from '../time/turn.ts';
import { randomIdPrefix, Stamp } from './callers/stamp.ts';
import { Core } from './core.ts';
import { CapacityFeed, detectionCheck, reserveOf } from './feeds/capacity-feed.ts';
import { HealthFeed } from './feeds/health-feed.ts';
import { metricsOf } from './metrics.ts';
import type { ManagerOptions, Tuning } from './options.ts';
import { RecoveryProgress } from './recovery.ts';
import type { ReadyStatus } from './service.ts';
import { type OpenedStore, openStore, recordStart, recoverState, stopped, writerIdOf } from './start.ts';
import { followLog } from './writers/follow-log.ts';
import { WRITER_LIMITS } from './writers/writer-watch.ts';

const TUNING: Tuning = {
  unknown: UNKNOWN_LIMITS,
  writers: WRITER_LIMITS,
  healthIntervalMs: 5_000,
  healthTimeoutMs: 2_000,
  metricsIntervalMs: 10_000,
  snapshotEvery: 50_000,
  refusalsPerSecond: 200,
  idPrefix: randomIdPrefix,
  liveActors: createLiveActors,
};

/** A manager that serves: its running parts and what reads them. */
export interface Running {
  readonly core: Core;
  readonly reader: StoredPoolReader;
}

/** Opens, recovers, serves and stops; each once. */
export class Lifecycle {
  readonly poolId: string;
  readonly committed = new Committed();
  readonly ready: Promise<Running>;
  readonly #options: ManagerOptions;
  readonly #config: ResolvedConfig;
  readonly #clock: Clock;
  readonly #jitter: Jitter;
  readonly #logger: Logger;
  readonly #tuning: Tuning;
  readonly #capacity: CapacityFeed;
  readonly #health: HealthFeed;
  readonly #ownMonitor: DefaultHealthMonitor | undefined;
  readonly #progress: RecoveryProgress;
  readonly #stop = new AbortController();
  #phase: 'recovering' | 'standby' | 'serving' | 'draining' | 'closed' = 'recovering';
  #store: OpenedStore | undefined;
  #core: Core | undefined;
  #following: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(detector: ResourceDetector, config: ResolvedConfig, options: ManagerOptions) {
    this.#options = options;
    this.#config = config;
    this.poolId = options.poolId ?? 'default';
    this.#clock = options.clock ?? systemClock;
    this.#jitter = options.random ?? Math.random;
    this.#logger = options.logger ?? SILENT;
    this.#tuning = { ...TUNING, ...options.tuning };
    this.#progress = new RecoveryProgress(this.#clock, this.#logger);
    this.#capacity = this.#capacityFeed(detector);
    this.#ownMonitor = options.healthMonitor === undefined ? this.#defaultMonitor() : undefined;
    this.#health = this.#healthFeed(options.healthMonitor ?? this.#ownMonitor!);
    this.ready = this.#start();
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** The parts, once they are made: also after the end, for reading. */
  get core(): Core | undefined {
    return this.#core;
  }

  /** The parts while the manager serves. */
  get running(): Core | undefined {
    return this.#phase === 'serving' ? this.#core : undefined;
  }

  status(): ReadyStatus {
    const accepts = this.#core?.engine.accepts ?? false;
    const poison = this.#core?.engine.poison;
    const serving = this.#phase === 'serving';
    const admitting = serving && this.#core?.options.readings.state.draining === false;
    const state = serving && !accepts ? 'logUnavailable' : serving && !admitting ? 'draining' : this.#phase;
    const why = poison ?? this.#core?.engine.trouble;
    const message = why instanceof Error ? { message: why.message } : {};
    return {
      ready: admitting && accepts,
      state,
      checks: [
        this.#core !== undefined ? { name: 'recovered', ok: true } : this.#recovering(),
        { name: 'log', ok: accepts, ...message },
        { name: 'admitting', ok: admitting },
        detectionCheck(this.#capacity.unreadable),
      ],
    };
  }

  #recovering(): ReadyStatus['checks'][number] {
    const message = this.#phase === 'recovering' ? { message: this.#progress.message } : {};
    return { name: 'recovered', ok: false, ...message };
  }

  /** Ends what waits, waits for what is in flight (never for leases), and closes. Idempotent; also while recovering. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #start(): Promise<Running> {
    const signal = this.#stop.signal;
    const [clock, jitter, logger] = [this.#clock, this.#jitter, this.#logger];
    const found = this.#capacity.first();
    if (this.#options.standby === true) this.#phase = 'standby';
    this.#store = await openStore(this.#options, logger, clock, signal);
    if (signal.aborted) throw stopped();
    this.#phase = 'recovering';
    const { store } = this.#store;
    const { poolId } = this;
    const readings = new ReadModel();
    const progress = this.#progress;
    const state = await recoverState(readings, store, poolId, { clock, jitter, logger, signal, progress });
    const { hostId } = found.resources;
    const writerId = writerIdOf(this.#options, this.#store, hostId, poolId);
    const core = new Core({
      store,
      poolId,
      hostId,
      writerId,
      alone: this.#store.alone,
      clock,
      jitter,
      logger,
      tuning: this.#tuning,
      stamp: new Stamp(clock, this.#tuning.idPrefix()),
      cache: new ShapeCache(this.#config.cacheMaxSize),
      readings,
      state,
      committedEvents: this.committed,
      alert: (issue) => this.#health.alert(issue),
      sampleFaster: () => this.#capacity.sampleNow(),
      reconfigured: () => this.#capacity.reconfigure(),
    });
    this.#core = core;
    await nextTurn();
    await recordStart(core, this.#config, found, this.#options.tokenFloor, signal);
    await nextTurn();
    if (signal.aborted) throw stopped();
    await core.resume();
    await nextTurn();
    if (signal.aborted) throw stopped();
    this.#phase = 'serving';
    this.#watch(core);
    return { core, reader: this.#reader(core) };
  }

  #watch(core: Core): void {
    const { store, alone } = this.#store!;
    const [clock, jitter, logger] = [this.#clock, this.#jitter, this.#logger];
    this.#capacity.start();
    this.#health.start();
    const parts = { store, clock, jitter, logger, signal: this.#stop.signal, once: alone };
    const { readings } = core.options;
    const audit = followLog({
      ...parts,
      stream: auditStream(this.poolId),
      from: () => readings.audit.revision + 1,
      take: (events) => readings.auditRead(events as readonly RecordedAuditEvent[]),
    });
    this.#following = audit;
    if (core.others === undefined) return;
    const pool = core.others.run({
      ...parts,
      stream: poolStream(this.poolId),
      from: () => core.engine.committedRevision + 1,
      take: (events) => core.engine.receive(events as readonly RecordedPoolEvent[]),
    });
    this.#following = Promise.all([audit, pool]);
  }

  async #dispose(): Promise<void> {
    this.#phase = 'draining';
    this.#stop.abort(stopped());
    this.#capacity.stop();
    this.#health.stop();
    await this.ready.catch(() => undefined);
    if (this.#core !== undefined) await this.#closeCore(this.#core);
    await this.#following;
    this.committed.close();
    this.#ownMonitor?.dispose();
    if (this.#store?.owned === true) await this.#store.store.close();
    this.#phase = 'closed';
  }

  async #closeCore(core: Core): Promise<void> {
    await core.abandonWaiters(stopped());
    await core.engine.close();
    core.stopTimers();
    await core.audit.close();
    const forgotten = this.#store!.owned && !core.options.store.traits.durable;
    if (core.engine.poison !== undefined || forgotten) return;
    await nextTurn(); // what a snapshot is of is put down at once
    await core.snapshots.write();
  }

  #reader(core: Core): StoredPoolReader {
    const { store, readings } = core.options;
    return new StoredPoolReader({
      store,
      poolId: this.poolId,
      readings: () => readings,
      audit: () => readings.audit,
      breaker: () => core.gate.record,
      flushAudit: (signal) => core.audit.flush(signal),
    });
  }

  #capacityFeed(detector: ResourceDetector): CapacityFeed {
    return new CapacityFeed({
      detector,
      clock: this.#clock,
      alert: (issue: ResourceIssue) => this.#health.alert(issue),
      config: () => this.#core?.state.config ?? this.#config,
      known: () => this.#core?.state.capacity ?? {},
      changed: (capacity, { hostId, source }) => this.#core?.submit('ObserveCapacity', { hostId, source, capacity }),
      overloaded: () => this.#core?.breaker.sense('overload.high'),
      reserve: () => (this.#core === undefined ? {} : reserveOf(this.#core.state)),
    });
  }

  #healthFeed(monitor: HealthMonitor): HealthFeed {
    return new HealthFeed({
      monitor,
      clock: this.#clock,
      logger: this.#logger,
      ...this.#tuning,
      observed: (healthy, failing, changed) => {
        if (changed) this.#core?.submit('ObserveHealth', { healthy, failing });
        if (!healthy) this.#core?.breaker.sense('health.failed');
      },
      metrics: () => {
        if (this.#core === undefined) throw new PoolError('INTERNAL', 'metrics before the start');
        return metricsOf(this.#core);
      },
    });
  }

  #defaultMonitor(): DefaultHealthMonitor {
    return createHealthMonitor({ detector: this.#capacity.detector, logger: this.#logger, clock: this.#clock });
  }
}
