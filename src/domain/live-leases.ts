import { ByToken } from '../model/by-token.ts';
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

const SLACK = 64;
/** So many leases a look-up by id takes into the index at most. */
const INDEXED_AT_ONCE = 4_096;
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
  /** In the order of their tokens; some of them live no more. */
  #granted: LeaseRecord[] = [];
  /** None before this place lives: the oldest go first, as a rule, and no walk begins among those that are gone. */
  #start = 0;
  #dead = 0;
  #lastToken = 0;
  readonly #byId = new Map<string, LeaseRecord>();
  /** Leases up to this token are in the index of ids, as far as they live. */
  #indexedTo = 0;
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
    if (this.#indexedTo !== this.#lastToken) this.#index();
    return this.#byId.get(leaseId) ?? (this.#indexedTo === this.#lastToken ? undefined : this.#findFresh(leaseId));
  }

  has(leaseId: string): boolean {
    return this.get(leaseId) !== undefined;
  }

  /** In the order of their grants. */
  values(): Generator<LeaseRecord> {
    return this.after(0);
  }

  /** Those granted after the one with this token, in the order of their grants. */
  *after(token: number): Generator<LeaseRecord> {
    const granted = this.#granted;
    for (let place = Math.max(this.#start, this.#placeAfter(token)); place < granted.length; place++)
      if (this.#isLive(granted[place]!)) yield granted[place]!;
  }

  /** As `values`, all at once: a plain loop is soon compiled, and walks over very many several times as fast. */
  list(): LeaseRecord[] {
    const granted = this.#granted;
    const leases: LeaseRecord[] = new Array(this.size); // a list that grows keeps room to spare
    let count = 0;
    for (let place = this.#start; place < granted.length; place++) {
      const lease = granted[place]!;
      if (this.#byToken.get(lease.token) === lease) leases[count++] = lease;
    }
    return leases;
  }

  /** By when they run out, and of one instant by token. */
  byExpiry(): SummedOrder<LeaseRecord> {
    if (this.#byExpiry === undefined || this.#granted.length - this.#placeAfter(this.#orderedTo) > 2 * UNORDERED) {
      const { compare } = BY_EXPIRY;
      this.#byExpiry = SummedOrder.of(BY_EXPIRY, [...this.values()].sort(compare));
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
    this.#stand(lease);
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, lease);
    if (this.#byExpiry === undefined) return;
    if (lease.token <= this.#orderedTo) this.#byExpiry.insert(lease);
    else if (++this.#unordered >= UNORDERED) this.#order(this.#byExpiry, UNORDERED);
  }

  drop(lease: LeaseRecord): void {
    this.#byToken.delete(lease.token);
    if (lease.token <= this.#indexedTo) this.#byId.delete(lease.leaseId);
    if (lease.token <= this.#orderedTo) this.#byExpiry?.delete(lease);
    const granted = this.#granted;
    if (granted[granted.length - 1] === lease) granted.length -= 1;
    else if (++this.#dead > this.size + SLACK) {
      this.#granted = granted.filter((each) => this.#isLive(each));
      [this.#dead, this.#start] = [0, 0];
    } else while (this.#start < granted.length && !this.#isLive(granted[this.#start]!)) this.#start += 1;
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
    this.#granted[this.#placeAfter(lease.token - 1)] = copied;
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, copied);
    return copied;
  }

  #isLive(lease: LeaseRecord): boolean {
    return this.#byToken.get(lease.token) === lease;
  }

  /** Nearly always the last; a token comes again where its grant was undone, and a lease where its end was. */
  #stand(lease: LeaseRecord): void {
    const granted = this.#granted;
    if (lease.token > this.#lastToken) {
      this.#lastToken = lease.token;
      granted.push(lease);
      return;
    }
    const place = this.#placeAfter(lease.token - 1);
    this.#start = Math.min(this.#start, place);
    if (granted[place]?.token !== lease.token) granted.splice(place, 0, lease);
    else {
      granted[place] = lease;
      this.#dead -= 1;
    }
  }

  /** Of the first one whose token is above this one. */
  #placeAfter(token: number): number {
    const granted = this.#granted;
    let low = 0;
    let high = granted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (granted[middle]!.token <= token) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #moveTo(lease: LeaseRecord, expiresAt: number): void {
    const isIn = lease.token <= this.#orderedTo && this.#byExpiry?.delete(lease) === true;
    lease.expiresAt = expiresAt;
    if (isIn) this.#byExpiry!.insert(lease);
  }

  /** Takes the next into the order, but not the last `left` grants, and not very many at once. */
  #order(order: SummedOrder<LeaseRecord>, left: number, most = 2 * UNORDERED): void {
    this.#unordered = 0;
    const granted = this.#granted;
    const first = this.#placeAfter(this.#orderedTo);
    const end = Math.min(granted.length - left, first + most);
    for (let place = first; place < end; place++) {
      const lease = granted[place]!;
      if (this.#isLive(lease)) order.insert(lease);
      this.#orderedTo = lease.token;
    }
    if (end === granted.length) this.#orderedTo = this.#lastToken;
  }

  #index(): void {
    const granted = this.#granted;
    const first = this.#placeAfter(this.#indexedTo);
    const end = Math.min(granted.length, first + INDEXED_AT_ONCE);
    for (let place = first; place < end; place++) {
      const lease = granted[place]!;
      if (this.#isLive(lease)) this.#addToIndex(lease);
      this.#indexedTo = lease.token;
    }
    if (end === granted.length) this.#indexedTo = this.#lastToken;
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
