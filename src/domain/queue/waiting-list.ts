import type { Dimensions } from '../dimensions.ts';
import { type OrderOptions, SummedOrder } from '../ledger/summed-order.ts';
import { lowerBound } from '../lower-bound.ts';
import type { TierRules } from '../tier-rules.ts';
import { Comings, type WaitingStep } from './comings.ts';
import { leastOf } from './least.ts';
import type { WaitingRecord } from './waiting-record.ts';

/** So many are worth following one by one. */
const RECENT = 16;

/** What the place in a queue depends on. */
export type Ranked = Pick<WaitingRecord, 'leaseId' | 'priority' | 'queuedAt'>;

export interface Change {
  readonly step: WaitingStep;
  readonly record: WaitingRecord;
}

/**
 * The order of a tier's waiters. Priority with linear ageing, as one number that only a change of the configuration changes: the
 * moment of queueing less weight x the tier's ageingMs. A request with weight p is passed by a later one of weight q only within
 * (q - p) x ageingMs of its own queueing, which bounds starvation: after (highest weight - p) x ageingMs nobody comes before it
 * any more, and who comes behind it cannot delay it (`waitersAhead`, ADR 7).
 */
export const rankBy = ({ leadMs }: TierRules, { priority, queuedAt }: Ranked): number =>
  queuedAt - (leadMs.get(priority) ?? 0);

/** Below 0 = a stands before b. Equal ranks in the order of their lease ids, which ascend with time. */
export function compareBy(rules: TierRules, a: Ranked, b: Ranked): number {
  const [rank, other] = [rankBy(rules, a), rankBy(rules, b)];
  if (rank !== other) return rank - other;
  return a.leaseId === b.leaseId ? 0 : a.leaseId < b.leaseId ? -1 : 1;
}

type Order = SummedOrder<WaitingRecord>;

/**
 * Who waits in a tier, by rank under the rules that it was made for. Of one class those who came first stand first whatever the rules
 * are: so each class has an order of its own, which the rules only merge, and other rules leave all of them as they are. To come
 * and to go cost O(log n), to know a place O(log n) for each class of which somebody waits.
 */
export class WaitingList extends Comings {
  readonly #rules: TierRules;
  readonly #numbered: Dimensions;
  /** By class, of those of which somebody waits. */
  readonly #classes: Map<string, Order>;
  #length = 0;
  /** Those that ask for this tier by its name. */
  #named = 0;
  /** Another number whenever somebody came or went. */
  changes = 0;
  /** The last of those changes, the newest at the end, for who keeps what follows from the list. */
  recent: Change[] = [];

  constructor(rules: TierRules, numbered: Dimensions, classes: Map<string, Order> = new Map()) {
    super();
    this.#rules = rules;
    this.#numbered = numbered;
    this.#classes = classes;
  }

  /** Of records in any order. Those in the order of their coming take O(n). */
  static of(rules: TierRules, numbered: Dimensions, records: readonly WaitingRecord[]): WaitingList {
    const byClass = new Map<string, WaitingRecord[]>();
    for (const record of records) {
      const alike = byClass.get(record.priority);
      if (alike === undefined) byClass.set(record.priority, [record]);
      else alike.push(record);
    }
    const list = new WaitingList(rules, numbered);
    for (const [name, alike] of byClass) list.#classes.set(name, SummedOrder.of(list.#options, alike.sort(byComing)));
    list.#length = records.length;
    for (const { request } of records) if (request.tier !== null) list.#named += 1;
    return list;
  }

  /** The same who wait, under other rules, in O(1). The two share them: only the newer one is used, until it is taken back. */
  under(rules: TierRules): WaitingList {
    const list = new WaitingList(rules, this.#numbered, this.#classes);
    list.#length = this.#length;
    list.#named = this.#named;
    return list;
  }

  get length(): number {
    return this.#length;
  }

  get hasNamed(): boolean {
    return this.#named > 0;
  }

  /** How many stand before the request, or would. */
  placeOf(request: Ranked): number {
    let place = 0;
    for (const [name, order] of this.#classes) place += order.placeOf(this.#asOf(name, request));
    return place;
  }

  includes(request: WaitingRecord): boolean {
    return this.#classes.get(request.priority)?.has(request) === true;
  }

  /** The least that the first `count` accept together, by the numbers of the dimensions. */
  sumsOf(count: number): number[] {
    const sums: number[] = [];
    for (const [order, first] of this.#firstOf(count))
      for (const [dimension, sum] of order.sumsOf(first).entries()) sums[dimension] = (sums[dimension] ?? 0) + sum;
    return sums;
  }

  some(visit: (record: WaitingRecord) => boolean): boolean {
    for (const record of this.from(0)) if (visit(record)) return true;
    return false;
  }

  /** In their order, from the one before whom `place` others stand. */
  *from(place: number): Generator<WaitingRecord> {
    const rests = this.#firstOf(place).map(([order, first]) => order.from(first));
    if (rests.length === 1) {
      yield* rests[0]!;
      return;
    }
    const heads = rests.map((rest) => rest.next().value as WaitingRecord | undefined);
    for (;;) {
      let least = -1;
      for (let i = 0; i < heads.length; i++)
        if (heads[i] !== undefined && (least < 0 || compareBy(this.#rules, heads[i]!, heads[least]!) < 0)) least = i;
      if (least < 0) return;
      yield heads[least]!;
      heads[least] = rests[least]!.next().value as WaitingRecord | undefined;
    }
  }

  [Symbol.iterator](): Generator<WaitingRecord> {
    return this.from(0);
  }

  override redo(step: WaitingStep, record: WaitingRecord): void {
    if (step === 'came') this.#classOf(record).insert(record);
    else this.#leave(record);
    const sign = step === 'came' ? 1 : -1;
    this.#length += sign;
    if (record.request.tier !== null) this.#named += sign;
    this.changes += 1;
    if (this.recent.length < RECENT) this.recent.push({ step, record });
  }

  copy(): WaitingList {
    const classes = new Map([...this.#classes].map(([name, order]) => [name, order.copy()]));
    const copied = new WaitingList(this.#rules, this.#numbered, classes);
    copied.#length = this.#length;
    copied.#named = this.#named;
    return copied;
  }

  get #options(): OrderOptions<WaitingRecord> {
    const numbered = this.#numbered;
    return { compare: byComing, demandOf: ({ request }) => numbered.demand(leastOf(request)) };
  }

  #classOf({ priority }: WaitingRecord): Order {
    let order = this.#classes.get(priority);
    if (order === undefined) {
      order = new SummedOrder(this.#options);
      this.#classes.set(priority, order);
    }
    return order;
  }

  #leave(record: WaitingRecord): void {
    const order = this.#classes.get(record.priority)!;
    order.delete(record);
    if (order.size === 0) this.#classes.delete(record.priority);
  }

  /** Where the request would stand if it were of the class: it would have come as much later as the class has more lead. */
  #asOf(name: string, request: Ranked): WaitingRecord {
    const queuedAt = rankBy(this.#rules, request) + (this.#rules.leadMs.get(name) ?? 0);
    return { leaseId: request.leaseId, queuedAt } as WaitingRecord;
  }

  /** Of each class, how many of its waiters are among the first `count` of all. */
  #firstOf(count: number): (readonly [order: Order, first: number])[] {
    const orders = [...this.#classes.values()];
    if (count <= 0) return orders.map((order) => [order, 0]);
    if (count >= this.#length) return orders.map((order) => [order, order.size]);
    if (orders.length === 1) return [[orders[0]!, count]];
    return orders.map((order) => [order, this.#amongFirst(order, count)]);
  }

  #amongFirst(order: Order, count: number): number {
    return lowerBound(Math.min(order.size, count), (place) => this.placeOf(order.at(place)!) < count);
  }
}

/** Of one class, whatever the rules. */
const byComing = (a: WaitingRecord, b: WaitingRecord): number =>
  a.queuedAt - b.queuedAt || (a.leaseId === b.leaseId ? 0 : a.leaseId < b.leaseId ? -1 : 1);
