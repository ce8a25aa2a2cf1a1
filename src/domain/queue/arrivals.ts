import { standsAlone } from '../../model/request.ts';
import type { Demand } from '../dimensions.ts';
import { SummedOrder } from '../ledger/summed-order.ts';
import { Comings, type WaitingStep } from './comings.ts';
import { leastOf } from './least.ts';
import type { WaitingRecord } from './waiting-record.ts';

/** Requests that may be granted in the same tiers: the first of them to come stands for all, also when it is gone. */
export interface Kind {
  readonly name: string;
  readonly sample: WaitingRecord;
  count: number;
}

const NOTHING: Demand = { names: [], dimensions: [], amounts: [] };
const BY_COMING = { compare: (a: Coming, b: Coming) => a.revision - b.revision, demandOf: () => NOTHING };
type Coming = Pick<WaitingRecord, 'revision'>;

/** All that wait in the order of their coming, and of what kinds they are. */
export class Arrivals extends Comings {
  #order: SummedOrder<WaitingRecord> = new SummedOrder<WaitingRecord>(BY_COMING);
  readonly #kinds = new Map<string, Kind>();
  /** By writer, how many wait whose callers wait there: those that no caller waits for in person are not counted. */
  readonly #callers = new Map<string, number>();

  get size(): number {
    return this.#order.size;
  }

  kinds(): Iterable<Kind> {
    return this.#kinds.values();
  }

  /** Writers at which callers wait, and how many. */
  get callers(): ReadonlyMap<string, number> {
    return this.#callers;
  }

  /** Those that queued after a revision, in the order of their coming. */
  after(revision: number): Generator<WaitingRecord> {
    return this.#order.from(this.#order.placeOf({ revision: revision + 1 } as WaitingRecord));
  }

  [Symbol.iterator](): Generator<WaitingRecord> {
    return this.#order.from(0);
  }

  override redo(step: WaitingStep, record: WaitingRecord): void {
    this.#countCaller(record, step === 'came' ? 1 : -1);
    const name = kindOf(record);
    const kind = this.#kinds.get(name);
    if (step === 'came') {
      this.#order.insert(record);
      if (kind === undefined) this.#kinds.set(name, { name, sample: record, count: 1 });
      else kind.count += 1;
    } else {
      this.#order.delete(record);
      if (kind!.count === 1) this.#kinds.delete(name);
      else kind!.count -= 1;
    }
  }

  copy(): Arrivals {
    const copied = new Arrivals();
    copied.#order = this.#order.copy();
    for (const [name, kind] of this.#kinds) copied.#kinds.set(name, { ...kind });
    for (const [writerId, count] of this.#callers) copied.#callers.set(writerId, count);
    return copied;
  }

  #countCaller({ request, writerId }: WaitingRecord, sign: 1 | -1): void {
    if (standsAlone(request)) return;
    const count = (this.#callers.get(writerId) ?? 0) + sign;
    if (count === 0) this.#callers.delete(writerId);
    else this.#callers.set(writerId, count);
  }
}

/** By what decides in which tiers a request may be granted (`couldGrant`). */
export const kindOf = ({ request, priority }: WaitingRecord): string =>
  `${request.tier} ${priority} ${JSON.stringify(leastOf(request))}`;
