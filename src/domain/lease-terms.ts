import type { EventData } from '../model/events.ts';
import { areTermsOf, type GrantTerms, grantTerms, placeOfTerms } from '../model/grant-terms.ts';
import type { Demand, Dimensions } from './dimensions.ts';

/** What leases of one kind have in common. */
export interface LeaseTerms extends GrantTerms {
  readonly demand: Demand;
}

const KEPT = 1_024;

/**
 * Terms of the last kinds of leases, so that leases of one kind share one object: most leases are of few kinds, and a grant
 * then keeps nothing of its event but the id. Only a cache: whether terms are shared shows nowhere.
 */
export class TermsCache {
  readonly #kept: (LeaseTerms | undefined)[] = new Array(KEPT).fill(undefined);

  of(data: EventData['LeaseGranted'], dimensions: Dimensions): LeaseTerms {
    const demand = dimensions.demand(data.amounts);
    const place = placeOfTerms(data, KEPT);
    const kept = this.#kept[place];
    if (kept !== undefined && areTermsOf(kept, data)) return kept;
    const terms = { ...grantTerms(data), demand };
    this.#kept[place] = terms;
    return terms;
  }
}
