import { type Amounts, areEqual, hashOf } from '../model/amounts.ts';
import type { EventData } from '../model/events.ts';
import { areAlike, type RequestSpec } from '../model/request.ts';
import type { Demand, Dimensions } from './dimensions.ts';

/** What leases of one kind have in common: the request but for its name and key, and what was settled on. */
export interface LeaseTerms {
  /** Its `id` is empty and its `idempotencyKey` null: those are each lease's own. */
  readonly request: RequestSpec;
  readonly priority: string;
  readonly type: string;
  readonly tier: string;
  readonly amounts: Amounts;
  readonly borrowed: Amounts | null;
  readonly demand: Demand;
}

type Granted = EventData['LeaseGranted'];

const KEPT = 1_024;

/**
 * Terms of the last kinds of leases, so that leases of one kind share one object: most leases are of few kinds, and a grant
 * then keeps nothing of its event but the id. Only a cache: whether terms are shared shows nowhere.
 */
export class TermsCache {
  readonly #kept: (LeaseTerms | undefined)[] = new Array(KEPT).fill(undefined);

  of(data: Granted, dimensions: Dimensions): LeaseTerms {
    const demand = dimensions.demand(data.amounts);
    const place = (hashOf(data.amounts) ^ (data.request.owner.length * 7 + data.tier.length)) & (KEPT - 1);
    const kept = this.#kept[place];
    if (kept !== undefined && areTermsOf(kept, data)) return kept;
    const terms = termsOf(data, demand);
    this.#kept[place] = terms;
    return terms;
  }
}

const termsOf = ({ request, priority, type, tier, amounts, borrowed }: Granted, demand: Demand): LeaseTerms => ({
  request: { ...request, id: '', idempotencyKey: null },
  priority,
  type,
  tier,
  amounts,
  borrowed,
  demand,
});

function areTermsOf(terms: LeaseTerms, data: Granted): boolean {
  return (
    terms.tier === data.tier &&
    terms.priority === data.priority &&
    terms.type === data.type &&
    areEqual(terms.amounts, data.amounts) &&
    areEqual(terms.borrowed, data.borrowed) &&
    areAlike(terms.request, data.request)
  );
}
