import type { LeaseRecord } from './lease-record.ts';
import type { LiveLeases } from './live-leases.ts';

/** What changes of a lease while it is held, but for who asked for it back. */
const TTL = 0;
const EXPIRES_AT = 1;
const CHANGED = 2;
const FIELDS = 3;

/** The live leases of one moment, to be looked at by and by, whatever becomes of them: their records are changed in place. */
export class StillLeases {
  readonly #leases: LeaseRecord[];
  readonly #numbers: Float64Array;
  readonly #noticed = new Map<number, LeaseRecord>();

  constructor(live: LiveLeases) {
    this.#leases = live.list();
    this.#numbers = new Float64Array(live.size * FIELDS);
    for (let place = 0; place < this.#leases.length; place++) {
      const lease = this.#leases[place]!;
      this.#numbers[place * FIELDS + TTL] = lease.ttlMs;
      this.#numbers[place * FIELDS + EXPIRES_AT] = lease.expiresAt;
      this.#numbers[place * FIELDS + CHANGED] = lease.revision;
      if (lease.noticeEndsAt !== null) this.#noticed.set(place, lease.copy());
    }
  }

  get size(): number {
    return this.#leases.length;
  }

  /** A copy of the lease in a place, as it was. */
  at(place: number): LeaseRecord {
    const noticed = this.#noticed.get(place);
    if (noticed !== undefined) return noticed;
    const lease = this.#leases[place]!.copy();
    lease.ttlMs = this.#numbers[place * FIELDS + TTL]!;
    lease.expiresAt = this.#numbers[place * FIELDS + EXPIRES_AT]!;
    lease.revision = this.#numbers[place * FIELDS + CHANGED]!;
    lease.noticeEndsAt = null;
    lease.noticeReason = null;
    lease.noticeDetail = null;
    return lease;
  }
}
