import { ByToken } from '../model/by-token.ts';
import { Undoable } from './journal.ts';
import type { LeaseRecord } from './lease-record.ts';

/** What a journal notes of them, to take it back. */
export type LiveStep = 'added' | 'dropped';

const SLACK = 64;

/**
 * The leases that are held, by token and by id. Whoever ends a lease knows its token; the index of ids is brought up to date only
 * when somebody asks by id alone, as to hash an id costs more than all else that is done to a lease. The order of `values`
 * means nothing.
 */
export class LiveLeases extends Undoable {
  readonly #byToken = new ByToken<LeaseRecord>();
  readonly #byId = new Map<string, LeaseRecord>();
  /** Leases up to this token are in the index of ids, as far as they live; later ones are in `#fresh`, live or not any more. */
  #indexedTo = 0;
  #fresh: LeaseRecord[] = [];
  #lastToken = 0;
  /** Records last changed up to this revision are shared with others, who rely on them as they are. */
  #sharedTo = -1;

  get size(): number {
    return this.#byToken.size;
  }

  withToken(token: number): LeaseRecord | undefined {
    return this.#byToken.get(token);
  }

  /** Throws RangeError if two live leases have one id: their log is impossible. */
  get(leaseId: string): LeaseRecord | undefined {
    this.#index();
    return this.#byId.get(leaseId);
  }

  has(leaseId: string): boolean {
    return this.get(leaseId) !== undefined;
  }

  values(): Generator<LeaseRecord> {
    return this.#byToken.values();
  }

  add(lease: LeaseRecord): void {
    this.#byToken.set(lease.token, lease);
    if (lease.token > this.#lastToken) this.#lastToken = lease.token;
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, lease);
    else this.#keepFresh(lease);
  }

  drop(lease: LeaseRecord): void {
    this.#byToken.delete(lease.token);
    if (lease.token <= this.#indexedTo) this.#byId.delete(lease.leaseId);
  }

  override undo(step: LiveStep, lease: LeaseRecord): void {
    if (step === 'added') this.drop(lease);
    else this.add(lease);
  }

  override redo(step: LiveStep, lease: LeaseRecord): void {
    if (step === 'added') this.add(lease);
    else this.drop(lease);
  }

  /** The records as they are at a revision, shared from now on: see `own`. */
  share(revision: number): LeaseRecord[] {
    this.#sharedTo = revision;
    const leases: LeaseRecord[] = new Array(this.size); // a list that grows keeps room to spare
    let place = 0;
    for (const lease of this.values()) leases[place++] = lease;
    return leases;
  }

  /** Of records that `share` gave. */
  static sharing(leases: readonly LeaseRecord[], revision: number): LiveLeases {
    const live = new LiveLeases();
    for (const lease of leases) live.add(lease);
    live.#sharedTo = revision;
    return live;
  }

  /** The lease's record, to be changed: a copy in its place if it is shared. A fold with a journal shares none. */
  own(lease: LeaseRecord): LeaseRecord {
    if (lease.revision > this.#sharedTo) return lease;
    const copied = lease.copy();
    this.#byToken.set(lease.token, copied);
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, copied);
    else this.#keepFresh(copied);
    return copied;
  }

  #keepFresh(lease: LeaseRecord): void {
    this.#fresh.push(lease);
    if (this.#fresh.length > 2 * this.size + SLACK)
      this.#fresh = this.#fresh.filter((fresh) => this.withToken(fresh.token) === fresh);
  }

  #index(): void {
    if (this.#indexedTo === this.#lastToken) return;
    for (const lease of this.#fresh) {
      if (this.withToken(lease.token) !== lease) continue;
      const known = this.#byId.get(lease.leaseId);
      if (known !== undefined && known !== lease) throw new RangeError(`two live leases have the id ${lease.leaseId}`);
      this.#byId.set(lease.leaseId, lease);
    }
    this.#fresh = [];
    this.#indexedTo = this.#lastToken;
  }
}
