import { ByToken } from './by-token.ts';
import { GrantOrder } from './grant-order.ts';
import { type Journal, Undoable } from './journal.ts';
import type { LeaseRecord } from './lease-record.ts';
import { type OrderOptions, SummedOrder } from './summed-order.ts';

/** A lease runs out at another time. */
export interface Moved {
  readonly lease: LeaseRecord;
  /** Unix ms. */
  readonly from: number;
  readonly to: number;
}

/** What a journal notes of them, to take it back. */
export type LiveStep = 'added' | 'dropped' | 'moved';

/** So many leases a look-up by id takes into the index at most. */
const INDEXED_AT_ONCE = 1_024;
/** So many leases are taken into the order of expiries in one step of bringing it up. */
const ORDERED_IN_A_STEP = 256;
/** The last so many grants are not ordered by expiry before somebody asks: most leases that are given back soon never are. */
const UNORDERED = 2_048;

const BY_EXPIRY: OrderOptions<LeaseRecord> = {
  compare: (a, b) => a.expiresAt - b.expiresAt || a.token - b.token,
  demandOf: (lease) => lease.terms.demand,
};

/**
 * The leases that are held, by token, in the order of their grants, by id and by expiry. Whoever ends a lease knows its token; the
 * index of ids is brought up to date only when somebody asks by id alone, as to hash an id costs more than all else that is done
 * to a lease; the order of expiries is kept from the first time on that somebody asks for it. No command makes up for
 * more than some thousand grants.
 */
export class LiveLeases extends Undoable {
  readonly #byToken = new ByToken<LeaseRecord>();
  readonly #granted = new GrantOrder();
  #lastToken = 0;
  readonly #byId = new Map<string, LeaseRecord>();
  /** Leases up to this token are in the index of ids, as far as they live. */
  #indexedTo = 0;
  /** Of the lease that was last found while others are not in that index: a command that concerns it asks for it several times. */
  #foundToken = 0;
  /** Undefined = nobody has asked for it. */
  #byExpiry: SummedOrder<LeaseRecord> | undefined;
  /** Leases up to this token stand in the order of expiries, as far as they live. */
  #orderedTo = 0;
  /** Grants since some were last taken into that order. */
  #unordered = 0;
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
    if (this.#indexedTo === this.#lastToken) return this.#byId.get(leaseId);
    const again = this.#byToken.get(this.#foundToken);
    if (again?.leaseId === leaseId) return again;
    this.#index();
    const found = this.#byId.get(leaseId) ?? this.#findFresh(leaseId);
    this.#foundToken = found?.token ?? 0;
    return found;
  }

  has(leaseId: string): boolean {
    return this.get(leaseId) !== undefined;
  }

  /** In the order of their grants. */
  values(): Generator<LeaseRecord> {
    return this.after(0);
  }

  /** Those granted after the one with this token, in the order of their grants; they may end on the way. */
  after(token: number): Generator<LeaseRecord> {
    return this.#granted.after(token);
  }

  /** As `values`, all at once. */
  list(): LeaseRecord[] {
    return this.#granted.list();
  }

  /** By when they run out, and of one instant by token. */
  byExpiry(): SummedOrder<LeaseRecord> {
    if (this.#byExpiry === undefined || this.#granted.countAfter(this.#orderedTo) > 2 * UNORDERED) {
      const { compare } = BY_EXPIRY;
      this.#byExpiry = SummedOrder.of(BY_EXPIRY, this.list().sort(compare));
      this.#orderedTo = this.#lastToken;
    } else if (this.#orderedTo !== this.#lastToken) this.#order(this.#byExpiry, 0);
    return this.#byExpiry;
  }

  /** Keeps the order of expiries from now on; false while there are leases that have not been taken into it: each call takes in some. */
  keepByExpiry(): boolean {
    this.#byExpiry ??= new SummedOrder(BY_EXPIRY);
    this.#order(this.#byExpiry, 0, ORDERED_IN_A_STEP);
    return this.#orderedTo === this.#lastToken;
  }

  add(lease: LeaseRecord): void {
    this.#byToken.set(lease.token, lease);
    this.#granted.add(lease);
    this.#lastToken = Math.max(this.#lastToken, lease.token);
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, lease);
    if (this.#byExpiry === undefined) return;
    if (lease.token <= this.#orderedTo) this.#byExpiry.insert(lease);
    else if (++this.#unordered >= UNORDERED) this.#order(this.#byExpiry, UNORDERED);
  }

  drop(lease: LeaseRecord): void {
    this.#byToken.delete(lease.token);
    if (lease.token <= this.#indexedTo) this.#byId.delete(lease.leaseId);
    if (lease.token <= this.#orderedTo) this.#byExpiry?.delete(lease);
    this.#granted.delete(lease);
  }

  /** The lease runs out at `expiresAt` from now on, Unix ms. */
  move(lease: LeaseRecord, expiresAt: number, journal: Journal | undefined): void {
    journal?.note(this, 'moved', { lease, from: lease.expiresAt, to: expiresAt });
    this.#moveTo(lease, expiresAt);
  }

  override undo(step: LiveStep, of: LeaseRecord | Moved): void {
    if (step === 'moved') this.#moveTo((of as Moved).lease, (of as Moved).from);
    else if (step === 'added') this.drop(of as LeaseRecord);
    else this.add(of as LeaseRecord);
  }

  override redo(step: LiveStep, of: LeaseRecord | Moved): void {
    if (step === 'moved') this.#moveTo((of as Moved).lease, (of as Moved).to);
    else if (step === 'added') this.add(of as LeaseRecord);
    else this.drop(of as LeaseRecord);
  }

  /** The records as they are at a revision, shared from now on: see `own`. */
  share(revision: number): LeaseRecord[] {
    this.#sharedTo = revision;
    return this.list();
  }

  /** Takes in records that `share` gave at a revision, in their order. */
  shareIn(leases: readonly LeaseRecord[], revision: number): void {
    for (const lease of leases) this.add(lease);
    this.#sharedTo = revision;
  }

  /** The lease's record, to be changed: a copy in its place if it is shared. A fold with a journal shares none. */
  own(lease: LeaseRecord): LeaseRecord {
    if (lease.revision > this.#sharedTo) return lease;
    const copied = lease.copy();
    if (lease.token <= this.#orderedTo && this.#byExpiry?.delete(lease) === true) this.#byExpiry.insert(copied);
    this.#byToken.set(lease.token, copied);
    this.#granted.replace(copied);
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, copied);
    return copied;
  }

  #moveTo(lease: LeaseRecord, expiresAt: number): void {
    const isIn = lease.token <= this.#orderedTo && this.#byExpiry?.delete(lease) === true;
    lease.expiresAt = expiresAt;
    if (isIn) this.#byExpiry!.insert(lease);
  }

  /** Takes the next into the order, but not the last `left` grants, and not very many at once. */
  #order(order: SummedOrder<LeaseRecord>, left: number, most = 2 * UNORDERED): void {
    this.#unordered = 0;
    const there = this.#granted.countAfter(this.#orderedTo) - left;
    let taken = 0;
    for (const lease of this.after(this.#orderedTo)) {
      if (taken >= Math.min(there, most)) return;
      order.insert(lease);
      this.#orderedTo = lease.token;
      taken += 1;
    }
    this.#orderedTo = this.#lastToken;
  }

  #index(): void {
    let taken = 0;
    for (const lease of this.after(this.#indexedTo)) {
      if (taken >= INDEXED_AT_ONCE) return;
      this.#addToIndex(lease);
      this.#indexedTo = lease.token;
      taken += 1;
    }
    this.#indexedTo = this.#lastToken;
  }

  #addToIndex(lease: LeaseRecord): void {
    const known = this.#byId.get(lease.leaseId);
    if (known !== undefined && known !== lease) throw new RangeError(`two live leases have the id ${lease.leaseId}`);
    this.#byId.set(lease.leaseId, lease);
  }

  /** Among those that the index has not taken in yet, of which each look-up leaves fewer. */
  #findFresh(leaseId: string): LeaseRecord | undefined {
    for (const lease of this.after(this.#indexedTo)) if (lease.leaseId === leaseId) return lease;
    return undefined;
  }
}
