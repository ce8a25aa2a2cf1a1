import type { EventData } from './events.ts';
import { areAlike } from './request.ts';
import { areEqual, hashOf } from './values/amounts.ts';

type Granted = EventData['LeaseGranted'];

type Common = 'request' | 'priority' | 'type' | 'tier' | 'amounts' | 'borrowed';

/**
 * What grants of one kind have in common: the request but for its name and key, and what was settled on. The request's `id` is
 * empty and its `idempotencyKey` null: those are each grant's own.
 */
export interface GrantTerms extends Readonly<Pick<Granted, Common>> {}

export const grantTerms = ({ request, priority, type, tier, amounts, borrowed }: Granted): GrantTerms => ({
  request: { ...request, id: '', idempotencyKey: null },
  priority,
  type,
  tier,
  amounts,
  borrowed,
});

export const areTermsOf = (terms: GrantTerms, data: Granted): boolean =>
  terms.tier === data.tier &&
  terms.priority === data.priority &&
  terms.type === data.type &&
  areEqual(terms.amounts, data.amounts) &&
  areEqual(terms.borrowed, data.borrowed) &&
  areAlike(terms.request, data.request);

/** Where a cache of `places` (a power of two) looks for the terms of a grant. */
export const placeOfTerms = ({ amounts, request, tier }: Granted, places: number): number =>
  (hashOf(amounts) ^ (request.owner.length * 7 + tier.length)) & (places - 1);
