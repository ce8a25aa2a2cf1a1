import type { Demand } from '../domain/dimensions.ts';
import { perDimension } from '../domain/placement.ts';
import { emptyState, type LeaseRecord, type PoolState, type TierState } from '../domain/state.ts';
import { utilizationOf } from '../domain/views.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { UtilizationPoint, UtilizationView } from '../model/reading.ts';
import type { Amounts } from '../model/values/amounts.ts';
import type { Projection } from './projection.ts';

export const MAX_POINTS = 1_000;
/** The first width of a step. It doubles whenever the series would grow over its bound. */
const FIRST_STEP_MS = 1_000;

interface SavedUtilization {
  readonly stepMs: number;
  readonly endsAt: number;
  readonly points: readonly UtilizationPoint[];
}

const EMPTY: SavedUtilization = { stepMs: FIRST_STEP_MS, endsAt: 0, points: [] };

/**
 * How full the pool was over its whole history, in at most 1 000 points. Time is cut into steps at multiples of `stepMs`
 * since 1970; a point is the last state of its step, dated by the last event in it; a step without events has none, since
 * nothing changed. When there would be more, the step doubles and of two points that now share one the later stays: the
 * last state of the wider step, as if it had been that wide from the beginning. So the series is told by the events alone.
 * What is held is summed here again: a point is of the state before the event that begins another step.
 */
export class UtilizationProjection implements Projection {
  readonly name = 'utilization';
  #stepMs = EMPTY.stepMs;
  /** Of steps that are over. The present step's point is the present state. */
  #points: UtilizationPoint[] = [];
  /** Where the present step ends; an event from there on begins another. */
  #endsAt = 0;
  #now = nothingYet();

  apply(event: RecordedPoolEvent, lease: LeaseRecord | undefined): void {
    if (event.at >= this.#endsAt) this.#begin(event);
    this.#now.at = event.at;
    count(this.#now, event, lease);
  }

  /**
   * `now` is the pool as it stands after the last event applied. A tier's utilization is allocated / nominal: above 1 while
   * it borrows.
   */
  view(now: PoolState): UtilizationView {
    const series = now.revision < 0 ? this.#points : [...this.#points, pointOf(now)];
    return {
      revision: now.revision,
      at: now.at,
      now: utilizationOf(now),
      tiers: Object.fromEntries(now.tiers.map((tier) => [tier.name, useOf(now, tier)])),
      series,
    };
  }

  reset(): void {
    this.load(EMPTY, emptyState());
  }

  save(): SavedUtilization {
    return { stepMs: this.#stepMs, endsAt: this.#endsAt, points: [...this.#points] };
  }

  load(saved: SavedUtilization, state: PoolState): void {
    this.#stepMs = saved.stepMs;
    this.#points = [...saved.points];
    this.#endsAt = saved.endsAt;
    this.#now = presentOf(state);
  }

  /** The step before is over, with the state before this event. */
  #begin(event: RecordedPoolEvent): void {
    if (event.revision > 0) this.#points.push(pointAt(this.#now));
    while (this.#points.length >= MAX_POINTS) this.#widen(event.at);
    this.#endsAt = this.#endOf(event.at);
  }

  /** Keeps the last point of each wider step; that of the step in which `presentAt` lies is not over yet. */
  #widen(presentAt: number): void {
    this.#stepMs *= 2;
    this.#points = this.#points.filter((point, place) => {
      const nextAt = this.#points[place + 1]?.at ?? presentAt;
      return this.#endOf(point.at) !== this.#endOf(nextAt);
    });
  }

  #endOf(at: number): number {
    return (Math.floor(at / this.#stepMs) + 1) * this.#stepMs;
  }
}

/** What a point is made of, as it stands after the last event. */
interface Present {
  at: number;
  allocatable: Amounts;
  /** Of the capacity. */
  dimensions: readonly string[];
  /** By the numbers of the state's dimensions, as leases tell them, and their names. */
  readonly allocated: number[];
  readonly names: string[];
  leases: number;
  waiting: number;
}

const nothingYet = (): Present => presentOf(emptyState());

const presentOf = (state: PoolState): Present => ({
  at: state.at,
  allocatable: state.allocatable,
  dimensions: state.dimensions,
  allocated: [...state.allocated.amounts],
  names: [...state.numbered.names],
  leases: state.leases.size,
  waiting: state.waiting.size,
});

function count(now: Present, event: RecordedPoolEvent, lease: LeaseRecord | undefined): void {
  switch (event.type) {
    case 'LeaseGranted':
      hold(now, lease!.terms.demand, 1);
      if (event.data.waitedMs !== null) now.waiting -= 1;
      break;
    case 'LeaseReleased':
    case 'LeaseReclaimed':
      hold(now, lease!.terms.demand, -1);
      break;
    case 'RequestQueued':
      now.waiting += 1;
      break;
    case 'RequestCancelled':
    case 'RequestExpired':
      now.waiting -= 1;
      break;
    case 'ConfigChanged':
      now.allocatable = event.data.sized.allocatable;
      break;
    case 'CapacityObserved':
      now.allocatable = event.data.sized.allocatable;
      now.dimensions = Object.keys(event.data.capacity);
  }
}

function hold(now: Present, { names, dimensions, amounts }: Demand, sign: 1 | -1): void {
  now.leases += sign;
  const { allocated } = now;
  for (let i = 0; i < dimensions.length; i++) {
    const dimension = dimensions[i]!;
    while (allocated.length <= dimension) allocated.push(0);
    now.names[dimension] ??= names[i]!;
    allocated[dimension] = allocated[dimension]! + sign * amounts[i]!;
  }
}

function pointAt({ at, allocatable, dimensions, allocated, names, leases, waiting }: Present): UtilizationPoint {
  const utilization: Record<string, number> = {};
  for (const dimension of dimensions) {
    const whole = allocatable[dimension] ?? 0;
    utilization[dimension] = whole === 0 ? 0 : (allocated[names.indexOf(dimension)] ?? 0) / whole;
  }
  return { at, utilization, leases, waiting };
}

const pointOf = (state: PoolState): UtilizationPoint => ({
  at: state.at,
  utilization: utilizationOf(state),
  leases: state.leases.size,
  waiting: state.waiting.size,
});

/** 0 where the tier has nothing of its own. */
const useOf = (state: PoolState, tier: TierState): Readonly<Record<string, number>> =>
  perDimension(state, (dimension) => {
    const nominal = tier.sizing.nominal[dimension] ?? 0;
    return nominal === 0 ? 0 : tier.allocated.of(dimension) / nominal;
  });
