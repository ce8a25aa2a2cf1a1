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
/** Leases whose memory lies together, and is let go of together. */
const SEGMENT = 256;
/** So many leases a look-up by id takes into the index at most. */
const INDEXED_AT_ONCE = 4_096;
/** So many leases are taken into the order of grants in one step of bringing it up. */
const ORDERED_IN_A_STEP = 512;
const FIRST_HEADS = 256;

/** What an ended lease counts, in bytes. `name`: the caller's for it, null = its own id. */
export const endedBytes = (termsBytes: number, name: string | null, key: string | null): number =>
  ROW_BYTES + termsBytes + ((name?.length ?? 0) + (key?.length ?? 0)) * UNIT_BYTES;

/** The memory of some leases in the order of their ends. A row is written once, but for those whose end an undo takes back. */
class Segment {
  readonly numbers = new Float64Array(SEGMENT * ROW);
  /** The reason of the end, and of the notice before it. */
  readonly reasons = new Uint8Array(SEGMENT * 2);
  readonly ids: string[] = new Array(SEGMENT).fill('');
  readonly terms: (LeaseTerms | null)[] = new Array(SEGMENT).fill(null);
  readonly names: (string | null)[] = new Array(SEGMENT).fill(null);
  readonly keys: (string | null)[] = new Array(SEGMENT).fill(null);
  readonly hashes = new Int32Array(SEGMENT);
  /** From a lease to the one before it in the chain of its hash: the number of that one's end + 1; 0 = none. */
  readonly links = new Float64Array(SEGMENT);

  write(place: number, lease: LeaseRecord, endedAt: number, reason: ReclaimReason | null, revision: number): void {
    const { numbers, reasons } = this;
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
    this.terms[place] = lease.terms;
    this.names[place] = lease.name;
    this.keys[place] = lease.idempotencyKey;
    this.ids[place] = lease.leaseId;
  }

  read(place: number): EndedLease {
    const { numbers, reasons } = this;
    const at = place * ROW;
    const lease = new LeaseRecord(
      this.ids[place]!,
      this.terms[place]!,
      this.names[place]!,
      this.keys[place]!,
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

  bytesOf(place: number): number {
    return endedBytes(this.terms[place]!.bytes, this.names[place]!, this.keys[place]!);
  }
}

const segmentOf = (n: number): number => Math.floor(n / SEGMENT);
const placeOf = (n: number): number => n % SEGMENT;

/** From one number to below another, of segments of which the first has the number `base`. */
function* readFrom(segments: readonly Segment[], base: number, first: number, next: number): Generator<EndedLease> {
  for (let n = first; n < next; n++) yield segments[segmentOf(n) - base]!.read(placeOf(n));
}

/**
 * Ended leases in the order of their ends, found by id. They are the larger part of a pool's state (a hundred thousand are
 * kept) and looked at rarely, so they lie in arrays, without an object for each, and the index of their ids is brought up to
 * date when somebody asks by id. Objects are made for those that are asked for. The arrays are short, a segment each: nothing is
 * ever copied because they are many, and whoever reads them as they are now shares them.
 */
export class EndedLeases extends Undoable {
  /** Those from `#floor` to `#next` lie in them. */
  readonly #segments: Segment[] = [];
  /** The number of the first segment. */
  #base = 0;
  #first = 0;
  #next = 0;
  /** What was forgotten from here on may come back by an undo. */
  #floor = 0;
  /** Chains of equal hashes by the low bits of the hash, the newest first: the number of its end + 1; 0 = none. */
  #heads = new Float64Array(FIRST_HEADS);
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
    return this.#at(this.#first).numbers[placeOf(this.#first) * ROW + ENDED_AT]!;
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
    return this.#at(n).read(placeOf(n));
  }

  /** In the order of their ends; those of now, whatever is done while they are looked at. */
  values(): Generator<EndedLease> {
    return readFrom([...this.#segments], this.#base, this.#first, this.#next);
  }

  /** Those whose token is above `token`, in the order of their grants. To be asked of what is committed only: no undo follows. */
  *after(token: number): Generator<EndedLease> {
    for (const n of this.#byGrant().after(token)) if (n >= this.#first) yield this.nth(n);
  }

  /** Brings the order that `after` reads nearer to what is there; false while more is left: each call takes in some. */
  orderByGrant(): boolean {
    const first = Math.max(this.#ordered, this.#first);
    const end = Math.min(this.#next, first + ORDERED_IN_A_STEP);
    for (let n = first; n < end; n++) this.#granted.add(this.#at(n).numbers[placeOf(n) * ROW + TOKEN]!, n);
    this.#ordered = end;
    if (end < this.#next) return false;
    if (this.#granted.size > 2 * this.size + ROW) this.#granted.forgetBelow(this.#first);
    return true;
  }

  add(lease: LeaseRecord, endedAt: number, reason: ReclaimReason | null, revision: number): void {
    if (this.#segments.length === 0) this.#base = segmentOf(this.#next);
    if (segmentOf(this.#next) - this.#base === this.#segments.length) this.#segments.push(new Segment());
    this.#at(this.#next).write(placeOf(this.#next), lease, endedAt, reason, revision);
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
    this.#floor = this.#first;
    for (; this.#segments.length > 0 && this.#base < segmentOf(this.#floor); this.#base++) this.#segments.shift();
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

  /** None, but so many have been before. */
  static beginningAt(first: number): EndedLeases {
    const leases = new EndedLeases();
    [leases.#first, leases.#next, leases.#floor, leases.#indexed] = [first, first, first, first];
    return leases;
  }

  #at(n: number): Segment {
    return this.#segments[segmentOf(n) - this.#base]!;
  }

  /** The number of its end; -1 if it is not kept. A chain ends where it leads to what is forgotten. */
  #find(leaseId: string): number {
    this.#index();
    const hash = hashOf(leaseId);
    for (let n = this.#heads[hash & (this.#heads.length - 1)]! - 1; n >= this.#first; ) {
      const { hashes, ids, links } = this.#at(n);
      const place = placeOf(n);
      if (hashes[place] === hash && ids[place] === leaseId) return n;
      n = links[place]! - 1;
    }
    return this.#findFresh(leaseId);
  }

  /** Among those that the index has not taken in yet, of which each look-up leaves fewer. */
  #findFresh(leaseId: string): number {
    for (let n = this.#next - 1; n >= Math.max(this.#indexed, this.#first); n--)
      if (this.#at(n).ids[placeOf(n)] === leaseId) return n;
    return -1;
  }

  /** Brought up to date; what is forgotten stays in it until it would be the larger part. */
  #byGrant(): TokenOrder {
    while (!this.orderByGrant());
    return this.#granted;
  }

  #bytesOf(n: number): number {
    return this.#at(n).bytesOf(placeOf(n));
  }

  #index(): void {
    const first = Math.max(this.#indexed, this.#floor);
    const end = Math.min(this.#next, first + INDEXED_AT_ONCE);
    if (end - this.#floor > this.#heads.length) this.#widen(first);
    for (let n = first; n < end; n++) {
      const { hashes, ids } = this.#at(n);
      hashes[placeOf(n)] = hashOf(ids[placeOf(n)]!);
      this.#link(n);
    }
    this.#indexed = end;
  }

  #link(n: number): void {
    const { hashes, links } = this.#at(n);
    const head = hashes[placeOf(n)]! & (this.#heads.length - 1);
    links[placeOf(n)] = this.#heads[head]!;
    this.#heads[head] = n + 1;
  }

  /** The newest of the index. */
  #unlink(n: number): void {
    const { hashes, links } = this.#at(n);
    this.#heads[hashes[placeOf(n)]! & (this.#heads.length - 1)] = links[placeOf(n)]!;
    this.#indexed = n;
  }

  /** Room for twice as many chains; those before `end`, whose hashes are known, are linked anew. */
  #widen(end: number): void {
    let length = this.#heads.length * 2;
    while (length < this.#next - this.#floor) length *= 2;
    this.#heads = new Float64Array(length);
    for (let n = this.#floor; n < end; n++) this.#link(n);
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
