import type { Dimensions } from './dimensions.ts';
import { type Journal, Undoable } from './journal.ts';
import { leastOf } from './least.ts';
import { SummedOrder } from './summed-order.ts';
import type { TierRules } from './tier-rules.ts';
import type { WaitingRecord } from './waiting-record.ts';

/** So many are worth following one by one. */
const RECENT = 16;

/** What the place in a queue depends on. */
export type Ranked = Pick<WaitingRecord, 'leaseId' | 'priority' | 'queuedAt'>;

/** What a journal notes of it, to take it back. */
export type WaitingStep = 'came' | 'went';

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

/** Who waits in a tier, by rank under the rules that it was made for. To come, to go and to know a place cost O(log n). */
export class WaitingList extends Undoable {
  readonly #rules: TierRules;
  readonly #numbered: Dimensions;
  #order: SummedOrder<WaitingRecord>;
  /** Those that ask for this tier by its name. */
  #named = 0;
  /** Another number whenever somebody came or went. */
  changes = 0;
  /** The last of those changes, the newest at the end, for who keeps what follows from the list. */
  recent: Change[] = [];

  constructor(rules: TierRules, numbered: Dimensions, records: readonly WaitingRecord[] = []) {
    super();
    this.#rules = rules;
    this.#numbered = numbered;
    const compare = (a: WaitingRecord, b: WaitingRecord) => compareBy(rules, a, b);
    const demandOf = ({ request }: WaitingRecord) => numbered.demand(leastOf(request));
    this.#order = SummedOrder.of({ compare, demandOf }, [...records].sort(compare));
    for (const { request } of records) if (request.tier !== null) this.#named += 1;
  }

  get length(): number {
    return this.#order.size;
  }

  get hasNamed(): boolean {
    return this.#named > 0;
  }

  /** How many stand before the request, or would. */
  placeOf(request: Ranked): number {
    return this.#order.placeOf(request as WaitingRecord);
  }

  includes(request: WaitingRecord): boolean {
    return this.#order.has(request);
  }

  /** The least that the first `count` accept together, by the numbers of the dimensions. */
  sumsOf(count: number): number[] {
    return this.#order.sumsOf(count);
  }

  some(visit: (record: WaitingRecord) => boolean): boolean {
    return this.#order.some(visit);
  }

  /** In their order, from the one before whom `place` others stand. */
  from(place: number): Generator<WaitingRecord> {
    return this.#order.from(place);
  }

  [Symbol.iterator](): Generator<WaitingRecord> {
    return this.#order.from(0);
  }

  /** Adds a request, or takes it out. */
  put(step: WaitingStep, record: WaitingRecord, journal: Journal | undefined): void {
    journal?.note(this, step, record);
    this.redo(step, record);
  }

  override undo(step: WaitingStep, record: WaitingRecord): void {
    this.redo(step === 'came' ? 'went' : 'came', record);
  }

  override redo(step: WaitingStep, record: WaitingRecord): void {
    if (step === 'came') this.#order.insert(record);
    else this.#order.delete(record);
    if (record.request.tier !== null) this.#named += step === 'came' ? 1 : -1;
    this.changes += 1;
    if (this.recent.length < RECENT) this.recent.push({ step, record });
  }

  copy(): WaitingList {
    const copied = new WaitingList(this.#rules, this.#numbered);
    copied.#order = this.#order.copy();
    copied.#named = this.#named;
    return copied;
  }
}
