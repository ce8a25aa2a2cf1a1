import { randomUUID } from 'node:crypto';
import { observe } from '../detection/hysteresis.ts';
import type { PoolState } from '../domain/state.ts';
import { AskedCall } from '../engine/call.ts';
import { openEventStore } from '../eventstore/open.ts';
import { lastRevision } from '../eventstore/read-range.ts';
import type { Clock } from '../model/clock.ts';
import type { CommandData, CommandType } from '../model/commands.ts';
import type { ResolvedConfig } from '../model/config/config.ts';
import { isPoolError, PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import { poolStream } from '../model/ids.ts';
import type { Logger, SystemResources } from '../model/interfaces.ts';
import { RepeatedFailure } from '../model/repeated-failure.ts';
import type { Amounts } from '../model/values/amounts.ts';
import { VERSION } from '../model/version.ts';
import { beginAtBase, logBase } from '../reading/log-base.ts';
import { type ReadModel, readUp, restoreSnapshot } from '../reading/read-model.ts';
import { backoffMs, type Jitter, sleep } from '../time/backoff.ts';
import { SYSTEM } from './callers/stamp.ts';
import { type Core, configHash } from './core.ts';
import type { ManagerOptions } from './options.ts';
import type { RecoveryProgress } from './recovery.ts';
import { orphansOf } from './writers/writer-watch.ts';

export interface OpenedStore {
  readonly store: EventStore;
  /** The store was made here, and is closed here. */
  readonly owned: boolean;
  /** Nobody else appends to it. */
  readonly alone: boolean;
}

export async function openStore(
  options: ManagerOptions,
  logger: Logger,
  clock: Clock,
  signal: AbortSignal,
): Promise<OpenedStore> {
  const { eventStore = 'memory:', standby = false } = options;
  if (typeof eventStore !== 'string') return { store: eventStore, owned: false, alone: false };
  const store = await openEventStore(eventStore, { standby, signal, logger, clock });
  return { store, owned: true, alone: !store.traits.shared };
}

/** Names this writer in the log, the same after a restart. Where others may write too, the process tells writers apart. */
export function writerIdOf(options: ManagerOptions, { alone }: OpenedStore, hostId: string, poolId: string): string {
  if (options.writerId !== undefined) return options.writerId;
  const name = `${hostId.slice(0, 48)}:${poolId}`;
  if (alone) return name;
  instances += 1;
  return `${name}:${PROCESS}:${instances}`;
}

let instances = 0;
/** Drawn: in containers of one image, host and process ids are the same. */
const PROCESS = randomUUID().slice(0, 8);

interface RecoveryParts {
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly progress: RecoveryProgress;
}

/** Reads the log to its end. A store that is away is tried again until `signal` aborts; a damaged log throws. */
export async function recoverState(
  readings: ReadModel,
  store: EventStore,
  poolId: string,
  { clock, jitter, logger, signal, progress }: RecoveryParts,
): Promise<PoolState> {
  const stream = poolStream(poolId);
  const nowMs = () => clock.monotonic();
  const failure = new RepeatedFailure({ logger, nowMs, what: 'the event store cannot be read yet' });
  logBase(store, stream);
  for (let attempt = 1; ; attempt++) {
    try {
      await restoreSnapshot(readings, store, stream, logger);
      beginAtBase(readings, store, stream);
      progress.began(readings.state.revision, await lastRevision(store, stream));
      await readUp(readings, store, stream, { signal, reached: (revision) => progress.reached(revision) });
      progress.ended();
      failure.ended();
      return readings.state;
    } catch (error) {
      if (!isAway(error) || signal.aborted) throw error;
      failure.failed(error);
      await sleep(clock, backoffMs(attempt, 20, 2_000, jitter), signal);
    }
  }
}

const isAway = (error: unknown): boolean => isPoolError(error) && error.code === 'LOG_UNAVAILABLE';

/**
 * What a manager records before it serves: that it is here (a barrier: nothing that an earlier writer left in flight can land
 * after it), what it is configured to be, and what the machine has; and what an earlier writer that was killed had left to do.
 */
export async function recordStart(
  core: Core,
  config: ResolvedConfig,
  found: FoundCapacity,
  tokenFloor: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { poolId, hostId, writerId, clock, jitter } = core.options;
  for (let attempt = 1; ; attempt++) {
    try {
      await Promise.all([
        ask(core, 'OpenPool', { poolId, hostId }),
        ask(core, 'StartWriter', { writerId, hostId, version: VERSION }),
        ...tokenFloors(core, tokenFloor),
        ...orphansOf(core.state, writerId).map((leaseIds) =>
          ask(core, 'CancelOrphans', { leaseIds, reason: 'writerGone' }),
        ),
        ask(core, 'Configure', { config, hash: configHash(config), source: 'start', expectedRevision: null }),
        ask(core, 'ObserveCapacity', { hostId, ...settled(core.state, config, found) }),
        ask(core, 'EndPoolDrain', {}),
        ask(core, 'CancelHopeless', {}),
        ask(core, 'Sweep', {}),
      ]);
      return;
    } catch (error) {
      if (!isUncertain(error) || signal.aborted) throw error;
      await sleep(clock, backoffMs(attempt, 20, 2_000, jitter), signal);
    }
  }
}

/** Before anything may be granted: a copy gives no token that its origin may have given; nor any log one that its operator rules out. */
function tokenFloors(core: Core, asked: number | undefined): Promise<void>[] {
  const { restored } = core.options.store.traits;
  if (restored === undefined && asked === undefined) return [];
  const least = asked ?? restored?.floor ?? null;
  const [known, fileId] = [restored?.token ?? 0, restored?.fileId ?? null];
  return [ask(core, 'RaiseTokenFloor', { least, known, reason: 'copied', fileId })];
}

const isUncertain = (error: unknown): boolean =>
  isPoolError(error) && (error.code === 'LOG_UNAVAILABLE' || error.code === 'OUTCOME_UNKNOWN');

function ask<T extends CommandType>(core: Core, type: T, data: CommandData[T]): Promise<void> {
  const call = new AskedCall(core.options.stamp.command(type, data, SYSTEM), () => undefined);
  core.engine.enqueue(call);
  return call.promise;
}

export interface FoundCapacity {
  readonly capacity: Amounts;
  readonly resources: SystemResources;
}

/** What is declared counts as it stands; what is detected only where it is more than noise against what is recorded. */
function settled(state: PoolState, config: ResolvedConfig, { capacity, resources }: FoundCapacity) {
  const { source } = resources;
  if (source === 'declared' || state.capacityRevision < 0 || state.capacitySource !== source)
    return { source, capacity };
  const rule = { hysteresisRatio: config.detection.hysteresisRatio, stableSamples: 1 };
  return {
    source,
    capacity: observe({ reported: state.capacity, deviations: {}, changed: false }, capacity, rule).reported,
  };
}

/** The manager has been told to stop before it was ready. */
export const stopped = (): PoolError =>
  new PoolError('DRAINING', 'the manager is closed', { details: { retryAfterMs: 1_000 } });
