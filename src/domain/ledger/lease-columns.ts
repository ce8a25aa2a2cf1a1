import type { ReclaimReason } from '../../model/events.ts';
import type { GrantTerms } from '../../model/grant-terms.ts';
import type { Dimensions } from '../dimensions.ts';
import { LeaseRecord } from './lease-record.ts';
import { type LeaseTerms, termsBytes } from './lease-terms.ts';

/** Leases as plain JSON, a column for each field: a tenth of the size of a list of records, and as much quicker to read. */
export interface LeaseColumns {
  /** Those that no columns before these have. */
  readonly terms: GrantTerms[];
  /** Of each lease the place of its terms among all that have been written. */
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

const noColumns = (): LeaseColumns => ({
  terms: [],
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
});

/** To write or read a part takes about a millisecond. */
const PART_LEASES = 1_024;
/** Terms may hold labels of some KiB. */
const PART_TERMS = 128;

/** Writes leases down one by one, in as many parts as one likes. */
export class LeaseColumnsWriter {
  #columns = noColumns();
  readonly #places = new Map<LeaseTerms, number>();

  /** So much has been added since it was last taken that it makes a part of its own. */
  get isFull(): boolean {
    return this.#columns.at.length >= PART_LEASES || this.#columns.terms.length >= PART_TERMS;
  }

  /** What was added since it was last taken. */
  take(): LeaseColumns {
    const columns = this.#columns;
    this.#columns = noColumns();
    return columns;
  }

  add(lease: LeaseRecord): void {
    const columns = this.#columns;
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
      place = this.#places.size;
      this.#columns.terms.push(plain);
      this.#places.set(terms, place);
    }
    return place;
  }
}

/** Reads the parts again in the order in which they were taken. */
export class LeaseColumnsReader {
  readonly #dimensions: Dimensions;
  readonly #terms: LeaseTerms[] = [];

  constructor(dimensions: Dimensions) {
    this.#dimensions = dimensions;
  }

  /** The records of a part, in their order. */
  *read(columns: LeaseColumns): Generator<LeaseRecord> {
    for (const plain of columns.terms)
      this.#terms.push({ ...plain, demand: this.#dimensions.demand(plain.amounts), bytes: termsBytes(plain) });
    const { at, leaseId, name, idempotencyKey, token, grantedAt, ttlMs, expiresAt, revision } = columns;
    for (let i = 0; i < leaseId.length; i++) {
      const lease = new LeaseRecord(
        leaseId[i]!,
        this.#terms[at[i]!]!,
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
}
