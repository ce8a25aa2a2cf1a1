import type { LeaseRecord } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { MetricsView } from '../model/reading.ts';
import { Histogram } from './histogram.ts';
import type { Projection } from './projection.ts';
import { Tally } from './tally.ts';

/** The part of MetricsView that is counted from the pool's events. */
export type CountedMetrics = Pick<
  MetricsView,
  | 'granted'
  | 'grantedTotal'
  | 'reclaimed'
  | 'reclaimedTotal'
  | 'releasedTotal'
  | 'renewedTotal'
  | 'queuedTotal'
  | 'cancelledTotal'
  | 'requestsExpiredTotal'
  | 'waitTimeMs'
  | 'useTimeMs'
>;

/** Upper bounds in ms: a 1-2.5-5 series from what a commit takes to a day, the longest a lease lasts by default. */
export const WAIT_BOUNDS_MS = [
  0, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 600_000,
];
export const USE_BOUNDS_MS = [
  1, 10, 100, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 14_400_000, 86_400_000,
];

type Counts = Record<'released' | 'renewed' | 'queued' | 'cancelled' | 'requestsExpired', number>;

const noCounts = (): Counts => ({ released: 0, renewed: 0, queued: 0, cancelled: 0, requestsExpired: 0 });

interface SavedMetrics {
  readonly granted: ReturnType<Tally['save']>;
  readonly reclaimed: ReturnType<Tally['save']>;
  readonly counts: Readonly<Counts>;
  readonly waitTime: ReturnType<Histogram['save']>;
  readonly useTime: ReturnType<Histogram['save']>;
}

/** All that is counted of a pool's events since its first one, restarts included. */
export class MetricsProjection implements Projection {
  readonly name = 'metrics';
  readonly #granted = new Tally();
  readonly #reclaimed = new Tally();
  readonly #waitTime = new Histogram(WAIT_BOUNDS_MS);
  readonly #useTime = new Histogram(USE_BOUNDS_MS);
  #counts = noCounts();

  apply(event: RecordedPoolEvent, lease: LeaseRecord | undefined): void {
    switch (event.type) {
      case 'LeaseGranted':
        this.#granted.add(event.data.tier);
        this.#waitTime.observe(event.data.waitedMs ?? 0);
        return;
      case 'LeaseReleased':
        this.#counts.released += 1;
        this.#useTime.observe(event.at - lease!.grantedAt);
        return;
      case 'LeaseReclaimed':
        this.#reclaimed.add(event.data.reason);
        this.#useTime.observe(event.at - lease!.grantedAt);
        return;
      case 'LeasesRenewed':
        if (event.data.cause === 'holder') this.#counts.renewed += event.data.renewals.length;
        return;
      case 'RequestQueued':
        this.#counts.queued += 1;
        return;
      case 'RequestCancelled':
        this.#counts.cancelled += 1;
        return;
      case 'RequestExpired':
        this.#counts.requestsExpired += 1;
    }
  }

  /**
   * `granted` by tier, `reclaimed` by reason. `waitTimeMs` counts every grant, one that did not queue as 0 ms; `useTimeMs`
   * every lease that has ended. A renewal is one that a holder asked for; what a clock gap extended is none.
   */
  view(): CountedMetrics {
    return {
      granted: this.#granted.view(),
      grantedTotal: this.#granted.total,
      reclaimed: this.#reclaimed.view(),
      reclaimedTotal: this.#reclaimed.total,
      releasedTotal: this.#counts.released,
      renewedTotal: this.#counts.renewed,
      queuedTotal: this.#counts.queued,
      cancelledTotal: this.#counts.cancelled,
      requestsExpiredTotal: this.#counts.requestsExpired,
      waitTimeMs: this.#waitTime.view(),
      useTimeMs: this.#useTime.view(),
    };
  }

  reset(): void {
    this.#granted.reset();
    this.#reclaimed.reset();
    this.#waitTime.reset();
    this.#useTime.reset();
    this.#counts = noCounts();
  }

  save(): SavedMetrics {
    return {
      granted: this.#granted.save(),
      reclaimed: this.#reclaimed.save(),
      counts: { ...this.#counts },
      waitTime: this.#waitTime.save(),
      useTime: this.#useTime.save(),
    };
  }

  load(saved: SavedMetrics): void {
    this.#granted.load(saved.granted);
    this.#reclaimed.load(saved.reclaimed);
    this.#waitTime.load(saved.waitTime);
    this.#useTime.load(saved.useTime);
    this.#counts = { ...saved.counts };
  }
}
