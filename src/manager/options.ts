import type { UnknownLimits } from '../engine/unknown-outcome.ts';
import type { TaskRouterOptions } from '../integration/task-router.ts';
import type { LiveActorsFactory } from '../machines/live/actors.ts';
import type { Clock } from '../model/clock.ts';
import { type FieldError, invalid } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import { ID_PATTERN, isId, isPoolId } from '../model/ids.ts';
import type { HealthMonitor, Logger, ResourceDetector, TaskRouter } from '../model/interfaces.ts';
import { isTokenFloor, TOKEN_FLOORS } from '../model/values/tokens.ts';
import type { Jitter } from '../time/backoff.ts';
import type { WriterLimits } from './writers/writer-watch.ts';

export interface ManagerOptions {
  /** A URL (`memory:`, `sqlite:<file>`, `esdb://...`, `esdb+discover://...`) or a store; default `memory:`. A store that is given stays open. */
  readonly eventStore?: string | EventStore;
  /** Names the pool's streams; default `default`. */
  readonly poolId?: string;
  /** Names this manager in the log, the same over restarts. Several managers on one pool need one each. */
  readonly writerId?: string;
  /** Wait until the writer of an embedded store is gone, then take over. */
  readonly standby?: boolean;
  /** No token up to this one is given any more: for a log that was copied by other means than a backup. A whole number. */
  readonly tokenFloor?: number;
  /** Default: the one of this package, over the detector. */
  readonly healthMonitor?: HealthMonitor;
  /** Default: one over this pool and `nodes`. */
  readonly taskRouter?: TaskRouter;
  /** Other nodes that the default router may send a task to, or how to get them; asked anew for each task. */
  readonly nodes?: TaskRouterOptions['nodes'];
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** A draw in [0, 1) for jitter; default Math.random. */
  readonly random?: Jitter;
  readonly tuning?: Partial<Tuning>;
}

/** What tests turn, and operators hardly ever. Durations in ms. */
export interface Tuning {
  readonly unknown: UnknownLimits;
  readonly writers: WriterLimits;
  /** How often the health monitor is asked; 0 = never. */
  readonly healthIntervalMs: number;
  readonly healthTimeoutMs: number;
  /** How often the health monitor is given the metrics; 0 = never. */
  readonly metricsIntervalMs: number;
  /** A snapshot is written once so many events came since the last. */
  readonly snapshotEvery: number;
  readonly refusalsPerSecond: number;
  /** 15 hex digits that no other manager draws: what its commands' ids begin with. */
  readonly idPrefix: () => string;
  /** The actors that own all waiting; tests show by another one what happens without them. */
  readonly liveActors: LiveActorsFactory;
}

/** Adds an error for each wrong option. */
export function checkOptions(detector: ResourceDetector, options: ManagerOptions): void {
  const errors: FieldError[] = [];
  if (typeof detector?.getCurrentResources !== 'function' || typeof detector.getAvailability !== 'function')
    errors.push({
      path: 'detector',
      value: detector,
      allowed: 'a ResourceDetector, such as createResourceDetector() makes',
    });
  const { poolId, writerId, eventStore, tokenFloor } = options;
  if (poolId !== undefined && !isPoolId(poolId))
    errors.push({
      path: 'options.poolId',
      value: poolId,
      allowed: `${ID_PATTERN}, at most 64 long, not ending in -audit`,
    });
  if (writerId !== undefined && !isId(writerId))
    errors.push({ path: 'options.writerId', value: writerId, allowed: ID_PATTERN });
  if (eventStore !== undefined && typeof eventStore !== 'string' && typeof eventStore?.append !== 'function')
    errors.push({ path: 'options.eventStore', value: eventStore, allowed: 'a URL or an EventStore' });
  if (tokenFloor !== undefined && !isTokenFloor(tokenFloor))
    errors.push({ path: 'options.tokenFloor', value: tokenFloor, allowed: TOKEN_FLOORS });
  if (options.taskRouter !== undefined && options.nodes !== undefined)
    errors.push({ path: 'options.nodes', value: options.nodes, allowed: 'either nodes or a taskRouter of your own' });
  if (errors.length > 0) throw invalid(errors, 'INVALID_CONFIG');
}
