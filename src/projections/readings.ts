import type { BreakerRecord } from '../domain/breaker/breaker-record.ts';
import { emptyState, type LeaseRecord, type PoolState, tierNamed } from '../domain/state.ts';
import { poolView, tierView } from '../domain/views.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { LeaseFilter, Page, RequestFilter, UtilizationView } from '../model/reading.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';
import { createProjections } from './all.ts';
import { EventIndex } from './event-index.ts';
import { fold } from './fold.ts';
import { listLeases, ownerOf, readLease } from './leases.ts';
import type { CountedMetrics } from './metrics.ts';
import type { Projection } from './projection.ts';
import { listRequests, readRequest } from './requests.ts';

/**
 * All that is read of a pool's present, from committed events alone: the state that they come to, the projections, and their
 * readings. They fold a log themselves, or follow who does.
 */
export class PoolReadings {
  #state = emptyState();
  #committed = (): PoolState => this.#state;
  #lastEventId: string | null = null;
  readonly #named = createProjections();
  readonly #projections: readonly Projection[] = Object.values(this.#named);
  /** Where filters find what they ask for. */
  readonly index = new EventIndex((leaseId) => this.ownerOf(leaseId));
  readonly #folds = [...this.#projections, this.index];

  /** The committed state, to be read at once and not kept. */
  get state(): PoolState {
    return this.#committed();
  }

  /** Takes in committed events that nobody else folds. */
  fold(events: readonly RecordedPoolEvent[]): void {
    fold(this.#state, this.#folds, events);
    this.#lastEventId = events.at(-1)?.id ?? this.#lastEventId;
  }

  /** Gives the state to who folds events from here on, and tells them by `apply`; `committed` is the state as the log has it. */
  handOver(committed: () => PoolState): void {
    this.#committed = committed;
  }

  /** Takes in committed events that are folded already. `leases`: for each event the one that it grants or ends. */
  apply(events: readonly RecordedPoolEvent[], leases: readonly (LeaseRecord | undefined)[]): void {
    for (let i = 0; i < events.length; i++)
      for (let n = 0; n < this.#folds.length; n++) this.#folds[n]!.apply(events[i]!, leases[i]);
    this.#lastEventId = events.at(-1)?.id ?? this.#lastEventId;
  }

  /** Of the last event taken in; null before the first. */
  get lastEventId(): string | null {
    return this.#lastEventId;
  }

  /** What each projection holds, by its name; the index is saved by itself. */
  save(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#projections.map((projection) => [projection.name, projection.save()]));
  }

  /** Goes on from a state that is these readings' own from here on, and from what projections saved at its revision; the index is loaded by itself. */
  load(state: PoolState, saved: Readonly<Record<string, unknown>>, lastEventId: string | null): void {
    this.#state = state;
    this.#lastEventId = lastEventId;
    for (const projection of this.#projections) {
      projection.reset();
      if (Object.hasOwn(saved, projection.name)) projection.load(saved[projection.name], state);
    }
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

  /** Throws INVALID_REQUEST for a wrong cursor or limit. */
  listRequests(filter: RequestFilter = {}): Page<RequestView> {
    return listRequests(this.state, filter);
  }

  utilization(): UtilizationView {
    return this.#named.utilization.view(this.state);
  }

  metrics(): CountedMetrics {
    return this.#named.metrics.view();
  }

  /** Whose lease or waiting request it is, as long as it is kept; for filters. */
  readonly ownerOf = (leaseId: string): string | undefined => ownerOf(this.state, leaseId);
}
