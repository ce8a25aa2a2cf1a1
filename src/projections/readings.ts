import { type BreakerRecord, type PoolState, tierNamed } from '../domain/state.ts';
import { poolView, requestViews, tierView } from '../domain/views.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { LeaseFilter, Page, UtilizationView } from '../model/reading.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';
import { type LeaseHistory, LeaseHistoryProjection } from './lease-history.ts';
import { leaseIdOf, listLeases, ownerOf, readLease } from './leases.ts';
import { type CountedMetrics, MetricsProjection } from './metrics.ts';
import { readRequest } from './requests.ts';
import { ProjectionRunner } from './runner.ts';
import { UtilizationProjection } from './utilization.ts';

/**
 * All that is read of a pool's present, from committed events alone: one runner, the projections, and their readings.
 * Every reading first folds what waits, so it tells of all that has been acknowledged.
 */
export class PoolReadings {
  readonly #metrics = new MetricsProjection();
  readonly #utilization = new UtilizationProjection();
  readonly #history = new LeaseHistoryProjection();
  /** Takes what is committed: `enqueue`, `catchUp`, `load`, `save`. */
  readonly runner = new ProjectionRunner([this.#metrics, this.#utilization, this.#history]);

  /** The committed state, to be read at once and not kept. */
  get state(): PoolState {
    return this.runner.current();
  }

  enqueue(batch: readonly RecordedPoolEvent[]): void {
    this.runner.enqueue(batch);
  }

  /** `breaker`: of the manager that answers. */
  pool(breaker?: BreakerRecord): PoolView {
    return poolView(this.state, breaker);
  }

  /** Throws NOT_FOUND. */
  tier(name: string): TierView {
    const { state } = this;
    const tier = tierNamed(state, name);
    if (tier === undefined) {
      const allowed = state.tiers.map((known) => known.name).join(', ');
      throw new PoolError('NOT_FOUND', `tier: there is no tier ${name}; tiers: ${allowed}`, {
        details: { tier: name },
      });
    }
    return tierView(state, tier);
  }

  /** Throws NOT_FOUND. */
  lease(leaseId: string): LeaseView {
    return readLease(this.state, leaseId);
  }

  /** Throws INVALID_REQUEST for a wrong cursor, limit or state. */
  listLeases(filter: LeaseFilter = {}): Page<LeaseView> {
    return listLeases(this.state, filter);
  }

  /** By the caller's name, or by the id its lease would have. Throws NOT_FOUND if none waits. */
  request(id: string): RequestView {
    return readRequest(this.state, id);
  }

  listRequests(): readonly RequestView[] {
    return requestViews(this.state);
  }

  utilization(): UtilizationView {
    return this.#utilization.view(this.state);
  }

  metrics(): CountedMetrics {
    this.runner.catchUp();
    return this.#metrics.view();
  }

  /** Where the events of a lease are, by its id or by the caller's name for the request. */
  history(id: string): LeaseHistory {
    return this.#history.of(leaseIdOf(this.state, id) ?? id);
  }

  /** Whose lease or waiting request it is, as long as it is kept; for filters. */
  readonly ownerOf = (leaseId: string): string | undefined => ownerOf(this.state, leaseId);
}
