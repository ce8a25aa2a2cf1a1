import type { EventData } from '../../model/events.ts';
import { areTermsOf, type GrantTerms, grantTerms, placeOfTerms } from '../../model/grant-terms.ts';
import type { Amounts } from '../../model/values/amounts.ts';
import type { Demand, Dimensions } from '../dimensions.ts';

/** What leases of one kind have in common. */
export interface LeaseTerms extends GrantTerms {
  readonly demand: Demand;
  /** What the terms of one lease count among ended leases, in bytes (`termsBytes`). */
  readonly bytes: number;
}

/** About what a name and a value, or an amount, take beside the characters of a text: in bytes, of V8's heap. */
const LABEL_BYTES = 64;
const AMOUNT_BYTES = 24;
/** Of a character (a UTF-16 unit). */
const UNIT_BYTES = 2;

/**
 * What terms count, in bytes, as if no other lease shared them: whether they are shared is no fact of the log. Told by the
 * event's data alone, so that every fold forgets the same leases.
 */
export function termsBytes({ request, priority, type, tier, amounts, borrowed }: GrantTerms): number {
  let units = request.owner.length + priority.length + type.length + tier.length;
  let bytes = countOf(amounts) + countOf(request.amounts) + countOf(request.minimum) + countOf(borrowed);
  for (const dimension in request.requirements) {
    const written = request.requirements[dimension]!;
    units += dimension.length + (typeof written === 'string' ? written.length : 0);
    bytes += AMOUNT_BYTES;
  }
  for (const name in request.labels) {
    units += name.length + request.labels[name]!.length;
    bytes += LABEL_BYTES;
  }
  return bytes + units * UNIT_BYTES;
}

function countOf(amounts: Amounts | null): number {
  let bytes = 0;
  for (const _ in amounts) bytes += AMOUNT_BYTES;
  return bytes;
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
    const terms = { ...grantTerms(data), demand, bytes: termsBytes(data) };
    this.#kept[place] = terms;
    return terms;
  }
}
