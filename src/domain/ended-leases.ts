import type { ReclaimReason } from '../model/events.ts';
import { Undoable } from './journal.ts';
import { LeaseRecord } from './lease-record.ts';
import type { LeaseTerms } from './lease-terms.ts';
import { TokenOrder } from './token-order.ts';

/** What stays answerable of a lease that ended. */
export interface EndedLease {
  readonly lease: LeaseRecord;
  /** Unix ms. */
  readonly endedAt: number;
  /** null = released by its holder. */
  readonly reason: ReclaimReason | null;
  /** Of the event that ended it. */
  readonly revision: number;
}

/** What a journal notes of them, to take it back. */
export type EndedStep = 'added' | 'forgotten';

const REASON_CODES: Readonly<Record<ReclaimReason, number>> = {
  expired: 1,
  preempted: 2,
  borrowed: 3,
  leaked: 4,
  revoked: 5,
  drained: 6,
};
const REASONS = [null, ...(Object.keys(REASON_CODES) as ReclaimReason[])];
const codeOf = (reason: ReclaimReason | null): number => (reason === null ? 0 : REASON_CODES[reason]);

/** Numbers of a row, in their order; together one line of the processor's cache. */
const TOKEN = 0;
const GRANTED_AT = 1;
const TTL = 2;
const EXPIRES_AT = 3;
const NOTICE_ENDS_AT = 4;
const CHANGED = 5;
const ENDED_AT = 6;
const REVISION = 7;
const ROW = 8;
/** What an ended lease counts beside its terms, its name and its key, in bytes. */
const ROW_BYTES = 200;
const UNIT_BYTES = 2;
/** The most that ended leases count in sum, in bytes: 100 000 plain ones, or some 10 000 with labels of the largest size. */
export const MAX_ENDED_BYTES = 64 * 2 ** 20;
const FIRST_CAPACITY = 64;

/** What an ended lease counts, in bytes. `name`: the caller's for it, null = its own id. */
export const endedBytes = (termsBytes: number, name: string | null, key: string | null): number =>
  ROW_BYTES + termsBytes + ((name?.length ?? 0) + (key?.length ?? 0)) * UNIT_BYTES;

/** One ring's memory: a place for each lease in the order of their ends, by the low bits of the number of its end. */
class Ring {
  readonly mask: number;
  readonly numbers: Float64Array;
  /** The reason of the end, and of the notice before it. */
  readonly reasons: Uint8Array;
  readonly ids: string[];
  readonly terms: (LeaseTerms | null)[];
  readonly names: (string | null)[];
  readonly keys: (string | null)[];
  readonly hashes: Int32Array;
  /** Chains of equal hashes, the newest first: heads by hash, and from a place to the one before it; 0 = none, else place + 1. */
  readonly heads: Int32Array;
  readonly links: Int32Array;

  /** With room for `capacity`; of a `from` of that capacity all that lies in it. */
  constructor(capacity: number, from?: Ring) {
    this.mask = capacity - 1;
    this.numbers = from?.numbers.slice() ?? new Float64Array(capacity * ROW);
    this.reasons = from?.reasons.slice() ?? new Uint8Array(capacity * 2);
    this.ids = from?.ids.slice() ?? new Array(capacity).fill('');
    this.terms = from?.terms.slice() ?? new Array(capacity).fill(null);
    this.names = from?.names.slice() ?? new Array(capacity).fill(null);
    this.keys = from?.keys.slice() ?? new Array(capacity).fill(null);
    this.hashes = from?.hashes.slice() ?? new Int32Array(capacity);
    this.heads = from?.heads.slice() ?? new Int32Array(capacity);
    this.links = from?.links.slice() ?? new Int32Array(capacity);
  }

  get capacity(): number {
    return this.mask + 1;
  }

  /** Lets go of what the row holds: a place may wait for long until it is written over. */
  clearRow(place: number): void {
    this.terms[place] = null;
    this.names[place] = null;
    this.keys[place] = null;
  }

  copyRow(place: number, from: Ring, old: number): void {
    this.numbers.set(from.numbers.subarray(old * ROW, (old + 1) * ROW), place * ROW);
    this.reasons.set(from.reasons.subarray(old * 2, (old + 1) * 2), place * 2);
    this.ids[place] = from.ids[old]!;
    this.terms[place] = from.terms[old]!;
    this.names[place] = from.names[old]!;
    this.keys[place] = from.keys[old]!;
  }
}

/**
 * Ended leases in the order of their ends, found by id. They are the larger part of a pool's state (a hundred thousand are
 * kept) and looked at rarely, so they lie in arrays, without an object for each, and the index of their ids is brought up to
 * date when somebody asks by id. Objects are made for those that are asked for.
 */
export class EndedLeases extends Undoable {
  #ring = new Ring(FIRST_CAPACITY);
  #first = 0;
  #next = 0;
  /** What was forgotten from here on may come back by an undo, and is not written over. */
  #floor = 0;
  /** Those before this number are in the index of ids. */
  #indexed = 0;
  /** Their numbers in the order of their grants, up to `#ordered`: kept from the first time on that somebody asks for it. */
  readonly #granted = new TokenOrder();
  #ordered = 0;
  /** Of those that are kept. */
  #bytes = 0;

  get size(): number {
    return this.#next - this.#first;
  }
  /** The number of the oldest that is kept, counted from the pool's beginning. */
  get first(): number {
    return this.#first;
  }
  /** The number that the next to end has. */
  get next(): number {
    return this.#next;
  }
  /**
   * What those that are kept count, in bytes: about what they take if no two are of one kind. Counted from what the events say, so
   * that all folds of a log agree.
   */
  get bytes(): number {
    return this.#bytes;
  }
  /** When the oldest ended. */
  get oldestEndedAt(): number {
    return this.#ring.numbers[(this.#first & this.#ring.mask) * ROW + ENDED_AT]!;
  }

  has(leaseId: string): boolean {
    return this.#find(leaseId) >= 0;
  }

  get(leaseId: string): EndedLease | undefined {
    const n = this.#find(leaseId);
    return n < 0 ? undefined : this.nth(n);
  }

  /** The lease that ended as the n-th of the pool, for n from `first` to below `next`. */
  nth(n: number): EndedLease {
    const { mask, numbers, reasons, ids, terms, names, keys } = this.#ring;
    const place = n & mask;
    const at = place * ROW;
    const lease = new LeaseRecord(
      ids[place]!,
      terms[place]!,
      names[place]!,
      keys[place]!,
      numbers[at + TOKEN]!,
      numbers[at + GRANTED_AT]!,
      numbers[at + TTL]!,
      numbers[at + EXPIRES_AT]!,
      numbers[at + CHANGED]!,
    );
    const noticeEndsAt = numbers[at + NOTICE_ENDS_AT]!;
    lease.noticeEndsAt = Number.isNaN(noticeEndsAt) ? null : noticeEndsAt;
    lease.noticeReason = REASONS[reasons[place * 2 + 1]!]!;
    const [endedAt, revision] = [numbers[at + ENDED_AT]!, numbers[at + REVISION]!];
    return { lease, endedAt, reason: REASONS[reasons[place * 2]!]!, revision };
  }

  /** In the order of their ends. */
  *values(): Generator<EndedLease> {
    for (let n = this.#first; n < this.#next; n++) yield this.nth(n);
  }

  /** Those whose token is above `token`, in the order of their grants. To be asked of what is committed only: no undo follows. */
  *after(token: number): Generator<EndedLease> {
    for (const n of this.#byGrant().after(token)) if (n >= this.#first) yield this.nth(n);
  }

  add(lease: LeaseRecord, endedAt: number, reason: ReclaimReason | null, revision: number): void {
    if (this.#next - this.#floor === this.#ring.capacity) this.#grow();
    const { mask, numbers, reasons, ids, terms, names, keys } = this.#ring;
    const place = this.#next & mask;
    const at = place * ROW;
    numbers[at + TOKEN] = lease.token;
    numbers[at + GRANTED_AT] = lease.grantedAt;
    numbers[at + TTL] = lease.ttlMs;
    numbers[at + EXPIRES_AT] = lease.expiresAt;
    numbers[at + NOTICE_ENDS_AT] = lease.noticeEndsAt ?? Number.NaN;
    numbers[at + CHANGED] = lease.revision;
    numbers[at + ENDED_AT] = endedAt;
    numbers[at + REVISION] = revision;
    reasons[place * 2] = codeOf(reason);
    reasons[place * 2 + 1] = codeOf(lease.noticeReason);
    terms[place] = lease.terms;
    names[place] = lease.name;
    keys[place] = lease.idempotencyKey;
    ids[place] = lease.leaseId;
    this.#next += 1;
    this.#bytes += this.#bytesOf(this.#next - 1);
  }

  /** The oldest. `mayComeBack`: an undo can follow. */
  forgetFirst(mayComeBack: boolean): void {
    this.#bytes -= this.#bytesOf(this.#first);
    this.#first += 1;
    if (!mayComeBack) this.settle();
  }

  /** What was done until now stands: no undo of it follows. */
  settle(): void {
    for (; this.#floor < this.#first; this.#floor++) this.#ring.clearRow(this.#floor & this.#ring.mask);
  }

  /** Takes back the last step that was not taken back yet, which must be this one. */
  override undo(step: EndedStep): void {
    if (step === 'forgotten') {
      this.#first -= 1;
      this.#bytes += this.#bytesOf(this.#first);
    } else {
      this.#next -= 1;
      this.#bytes -= this.#bytesOf(this.#next);
      if (this.#next < this.#indexed) this.#unlink(this.#next);
    }
  }

  /** Takes the step again that was taken back last. */
  override redo(step: EndedStep): void {
    if (step === 'forgotten') {
      this.#bytes -= this.#bytesOf(this.#first);
      this.#first += 1;
    } else {
      this.#next += 1;
      this.#bytes += this.#bytesOf(this.#next - 1);
    }
  }

  /** As numbered elsewhere: `ended` are those from `first` on. */
  static from(ended: Iterable<EndedLease>, first: number): EndedLeases {
    const leases = new EndedLeases();
    [leases.#first, leases.#next, leases.#floor, leases.#indexed] = [first, first, first, first];
    for (const { lease, endedAt, reason, revision } of ended) leases.add(lease, endedAt, reason, revision);
    return leases;
  }

  /** The number of its end; -1 if it is not kept. A chain ends where it leads to what is forgotten, or written over. */
  #find(leaseId: string): number {
    this.#index();
    const { mask, ids, heads, hashes, links } = this.#ring;
    const hash = hashOf(leaseId);
    let newer = this.#next;
    for (let link = heads[hash & mask]!; link !== 0; link = links[link - 1]!) {
      const n = this.#next - 1 - ((this.#next - link) & mask);
      if (n < this.#first || n >= newer) return -1;
      if (hashes[link - 1] === hash && ids[link - 1] === leaseId) return n;
      newer = n;
    }
    return -1;
  }

  /** Of its own, with the memory of what is kept copied as it lies. */
  copy(): EndedLeases {
    const copied = new EndedLeases();
    copied.#ring = new Ring(this.#ring.capacity, this.#ring);
    [copied.#first, copied.#next, copied.#floor] = [this.#first, this.#next, this.#floor];
    copied.#indexed = this.#indexed;
    copied.#bytes = this.#bytes;
    return copied;
  }

  /** Brought up to date; what is forgotten stays in it until it would be the larger part. */
  #byGrant(): TokenOrder {
    const { mask, numbers } = this.#ring;
    for (let n = Math.max(this.#ordered, this.#first); n < this.#next; n++)
      this.#granted.add(numbers[(n & mask) * ROW + TOKEN]!, n);
    this.#ordered = this.#next;
    if (this.#granted.size > 2 * this.size + ROW) this.#granted.forgetBelow(this.#first);
    return this.#granted;
  }

  #bytesOf(n: number): number {
    const { mask, terms, names, keys } = this.#ring;
    const place = n & mask;
    return endedBytes(terms[place]!.bytes, names[place]!, keys[place]!);
  }

  #index(): void {
    const { mask, ids, heads, hashes, links } = this.#ring;
    for (let n = Math.max(this.#indexed, this.#floor); n < this.#next; n++) {
      const place = n & mask;
      const hash = hashOf(ids[place]!);
      hashes[place] = hash;
      links[place] = heads[hash & mask]!;
      heads[hash & mask] = place + 1;
    }
    this.#indexed = this.#next;
  }

  /** The newest of the index. */
  #unlink(n: number): void {
    const { mask, heads, hashes, links } = this.#ring;
    const place = n & mask;
    heads[hashes[place]! & mask] = links[place]!;
    this.#indexed = n;
  }

  #grow(): void {
    const from = this.#ring;
    this.#ring = new Ring(from.capacity * 2);
    for (let n = this.#floor; n < this.#next; n++) this.#ring.copyRow(n & this.#ring.mask, from, n & from.mask);
    this.#indexed = this.#floor;
  }
}

/** FNV-1a (Fowler, Noll, Vo), over UTF-16 units. */
const FNV_BASIS = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

function hashOf(id: string): number {
  let hash = FNV_BASIS;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), FNV_PRIME);
  return hash ^ (hash >>> 15);
}
