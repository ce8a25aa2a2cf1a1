import { Undoable } from './journal.ts';
import type { LeaseRecord } from './lease-record.ts';

/** What a journal notes of them, to take it back. */
export type LiveStep = 'added' | 'dropped';

const FIRST_CAPACITY = 64;
const SLACK = 64;

/**
 * The leases that are held, by token and by id. Tokens are the pool's count of grants, so the present ones lie close together:
 * a lease has its place by the low bits of its token, and one that outlives a whole round makes way for the next. Whoever ends
 * a lease knows its token; the index of ids is brought up to date only when somebody asks by id alone, as to hash an id costs
 * more than all else that is done to a lease. The order of `values` means nothing.
 */
export class LiveLeases extends Undoable {
  #places: (LeaseRecord | null)[] = new Array(FIRST_CAPACITY).fill(null);
  readonly #older = new Map<number, LeaseRecord>();
  #size = 0;
  readonly #byId = new Map<string, LeaseRecord>();
  /** Leases up to this token are in the index of ids, as far as they live; later ones are in `#fresh`, live or not any more. */
  #indexedTo = 0;
  #fresh: LeaseRecord[] = [];
  #lastToken = 0;

  get size(): number {
    return this.#size;
  }

  withToken(token: number): LeaseRecord | undefined {
    const lease = this.#places[token & (this.#places.length - 1)]!;
    if (lease !== null && lease.token === token) return lease;
    return this.#older.size === 0 ? undefined : this.#older.get(token);
  }

  /** Throws RangeError if two live leases have one id: their log is impossible. */
  get(leaseId: string): LeaseRecord | undefined {
    this.#index();
    return this.#byId.get(leaseId);
  }

  has(leaseId: string): boolean {
    return this.get(leaseId) !== undefined;
  }

  *values(): Generator<LeaseRecord> {
    yield* this.#older.values();
    for (const lease of this.#places) if (lease !== null) yield lease;
  }

  add(lease: LeaseRecord): void {
    if (this.#size * 2 >= this.#places.length) this.#grow();
    this.#put(lease);
    this.#size += 1;
    if (lease.token > this.#lastToken) this.#lastToken = lease.token;
    if (lease.token <= this.#indexedTo) this.#byId.set(lease.leaseId, lease);
    else this.#keepFresh(lease);
  }

  drop(lease: LeaseRecord): void {
    const place = lease.token & (this.#places.length - 1);
    if (this.#places[place] === lease) this.#places[place] = null;
    else this.#older.delete(lease.token);
    this.#size -= 1;
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

  /** Records of their own. */
  copy(): LiveLeases {
    const copied = new LiveLeases();
    for (const lease of this.values()) copied.add(lease.copy());
    return copied;
  }

  /** The older of two that want one place makes way. */
  #put(lease: LeaseRecord): void {
    const place = lease.token & (this.#places.length - 1);
    const there = this.#places[place]!;
    const older = there === null || there.token < lease.token ? there : lease;
    if (older !== null) this.#older.set(older.token, older);
    if (older !== lease) this.#places[place] = lease;
  }

  #grow(): void {
    const all = [...this.values()];
    this.#places = new Array(this.#places.length * 2).fill(null);
    this.#older.clear();
    for (const lease of all) this.#put(lease);
  }

  #keepFresh(lease: LeaseRecord): void {
    this.#fresh.push(lease);
    if (this.#fresh.length > 2 * this.#size + SLACK)
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
