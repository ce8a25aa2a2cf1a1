import type { ReclaimReason } from '../model/events.ts';
import type { GrantTerms } from '../model/grant-terms.ts';
import type { Dimensions } from './dimensions.ts';
import { LeaseRecord } from './lease-record.ts';
import { type LeaseTerms, termsBytes } from './lease-terms.ts';

/** Leases as plain JSON, a column for each field: a tenth of the size of a list of records, and as much quicker to read. */
export interface LeaseColumns {
  readonly terms: readonly GrantTerms[];
  /** Of each lease the place of its terms. */
  readonly at: number[];
  readonly leaseId: string[];
  readonly name: (string | null)[];
  readonly idempotencyKey: (string | null)[];
  readonly token: number[];
  readonly grantedAt: number[];
  readonly ttlMs: number[];
  readonly expiresAt: number[];
  readonly noticeEndsAt: (number | null)[];
  readonly noticeReason: (ReclaimReason | null)[];
  readonly noticeDetail: (string | null)[];
  readonly revision: number[];
}

/** Writes leases down one by one, so that many can be written with pauses in between. */
export class LeaseColumnsWriter {
  readonly #terms: GrantTerms[] = [];
  readonly #places = new Map<LeaseTerms, number>();
  readonly columns: LeaseColumns = {
    terms: this.#terms,
    at: [],
    leaseId: [],
    name: [],
    idempotencyKey: [],
    token: [],
    grantedAt: [],
    ttlMs: [],
    expiresAt: [],
    noticeEndsAt: [],
    noticeReason: [],
    noticeDetail: [],
    revision: [],
  };

  add(lease: LeaseRecord): void {
    const { columns } = this;
    columns.at.push(this.#placeOf(lease.terms));
    columns.leaseId.push(lease.leaseId);
    columns.name.push(lease.name);
    columns.idempotencyKey.push(lease.idempotencyKey);
    columns.token.push(lease.token);
    columns.grantedAt.push(lease.grantedAt);
    columns.ttlMs.push(lease.ttlMs);
    columns.expiresAt.push(lease.expiresAt);
    columns.noticeEndsAt.push(lease.noticeEndsAt);
    columns.noticeReason.push(lease.noticeReason);
    columns.noticeDetail.push(lease.noticeDetail);
    columns.revision.push(lease.revision);
  }

  #placeOf(terms: LeaseTerms): number {
    let place = this.#places.get(terms);
    if (place === undefined) {
      const { demand, bytes, ...plain } = terms;
      place = this.#terms.push(plain) - 1;
      this.#places.set(terms, place);
    }
    return place;
  }
}

/** The records again, in their order. */
export function* readLeaseColumns(columns: LeaseColumns, dimensions: Dimensions): Generator<LeaseRecord> {
  const terms = columns.terms.map((plain) => ({
    ...plain,
    demand: dimensions.demand(plain.amounts),
    bytes: termsBytes(plain),
  }));
  const { at, leaseId, name, idempotencyKey, token, grantedAt, ttlMs, expiresAt, revision } = columns;
  for (let i = 0; i < leaseId.length; i++) {
    const lease = new LeaseRecord(
      leaseId[i]!,
      terms[at[i]!]!,
      name[i]!,
      idempotencyKey[i]!,
      token[i]!,
      grantedAt[i]!,
      ttlMs[i]!,
      expiresAt[i]!,
      revision[i]!,
    );
    lease.noticeEndsAt = columns.noticeEndsAt[i]!;
    lease.noticeReason = columns.noticeReason[i]!;
    lease.noticeDetail = columns.noticeDetail[i]!;
    yield lease;
  }
}
