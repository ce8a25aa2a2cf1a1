import type { ReclaimReason } from '../../model/events.ts';
import { lowerBound } from '../lower-bound.ts';
import { Undoable } from './journal.ts';
import { LeaseRecord } from './lease-record.ts';
import type { LeaseTerms } from './lease-terms.ts';

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
/** Rows of a segment; a power of two. */
const SEGMENT = 512;
/** Heads of a segment's chains of ids. */
const HEADS = 1_024;
/** Segments that a look-up by id takes into the index at most. */
const INDEXED_AT_ONCE = 4;

/** What an ended lease counts, in bytes. `name`: the caller's for it, null = its own id. */
export const endedBytes = (termsBytes: number, name: string | null, key: string | null): number =>
  ROW_BYTES + termsBytes + ((name?.length ?? 0) + (key?.length ?? 0)) * UNIT_BYTES;

const NO_ROWS: readonly number[] = [];

/** The memory of leases that ended one after another: each has its row, from the number of its end. */
class Segment {
  readonly numbers: Float64Array;
  /** The reason of the end, and of the notice before it. */
  readonly reasons: Uint8Array;
  readonly ids: string[];
  readonly terms: (LeaseTerms | null)[];
  readonly names: (string | null)[];
  readonly keys: (string | null)[];
  /** Two have it: whoever writes to it makes a copy of his own first. */
  isShared = false;
  /** Of all tokens that were ever written here. */
  leastToken = Number.POSITIVE_INFINITY;
  highestToken = 0;
  /** Of the first rows; made when somebody asks by id. */
  #ids: IdChains | undefined;
  /** Rows in the order of their tokens, of the first so many. */
  #byToken = NO_ROWS;

  constructor(from?: Segment) {
    this.numbers = from?.numbers.slice() ?? new Float64Array(SEGMENT * ROW);
    this.reasons = from?.reasons.slice() ?? new Uint8Array(SEGMENT * 2);
    this.ids = from?.ids.slice() ?? [];
    this.terms = from?.terms.slice() ?? [];
    this.names = from?.names.slice() ?? [];
    this.keys = from?.keys.slice() ?? [];
    if (from === undefined) return;
    [this.leastToken, this.highestToken] = [from.leastToken, from.highestToken];
  }

  /** Lets go of what the row holds: its place may wait for long until the segment goes. */
  clear(row: number): void {
    this.terms[row] = null;
    this.names[row] = null;
    this.keys[row] = null;
  }

  /** The first `count` rows can be found by their ids. */
  index(count: number): void {
    this.#ids ??= new IdChains();
    this.#ids.extend(this.ids, count);
  }

  /** The last of the first `count` rows that has the id; -1 = none has. */
  find(leaseId: string, hash: number, count: number): number {
    if (this.#ids !== undefined && this.#ids.size >= count) return this.#ids.find(this.ids, leaseId, hash, count);
    for (let row = count - 1; row >= 0; row--) if (this.ids[row] === leaseId) return row;
    return -1;
  }

  /** The first `count` rows in the order of their tokens; sorted when somebody asks for them. */
  byToken(count: number): readonly number[] {
    if (this.#byToken.length !== count)
      this.#byToken = Array.from({ length: count }, (_, row) => row).sort((a, b) => this.tokenOf(a) - this.tokenOf(b));
    return this.#byToken;
  }

  tokenOf(row: number): number {
    return this.numbers[row * ROW + TOKEN]!;
  }

  write(row: number, lease: LeaseRecord, endedAt: number, reason: ReclaimReason | null, revision: number): void {
    const { numbers } = this;
    const at = row * ROW;
    numbers[at + TOKEN] = lease.token;
    numbers[at + GRANTED_AT] = lease.grantedAt;
    numbers[at + TTL] = lease.ttlMs;
    numbers[at + EXPIRES_AT] = lease.expiresAt;
    numbers[at + NOTICE_ENDS_AT] = lease.noticeEndsAt ?? Number.NaN;
    numbers[at + CHANGED] = lease.revision;
    numbers[at + ENDED_AT] = endedAt;
    numbers[at + REVISION] = revision;
    this.reasons[row * 2] = codeOf(reason);
    this.reasons[row * 2 + 1] = codeOf(lease.noticeReason);
    this.terms[row] = lease.terms;
    this.names[row] = lease.name;
    this.keys[row] = lease.idempotencyKey;
    this.ids[row] = lease.leaseId;
    this.leastToken = Math.min(this.leastToken, lease.token);
    this.highestToken = Math.max(this.highestToken, lease.token);
    this.#byToken = NO_ROWS;
    if (this.#ids !== undefined && row < this.#ids.size) this.#ids = undefined; // another stood here before an undo
  }

  read(row: number): EndedLease {
    const { numbers, reasons } = this;
    const at = row * ROW;
    const lease = new LeaseRecord(
      this.ids[row]!,
      this.terms[row]!,
      this.names[row]!,
      this.keys[row]!,
      numbers[at + TOKEN]!,
      numbers[at + GRANTED_AT]!,
      numbers[at + TTL]!,
      numbers[at + EXPIRES_AT]!,
      numbers[at + CHANGED]!,
    );
    const noticeEndsAt = numbers[at + NOTICE_ENDS_AT]!;
    lease.noticeEndsAt = Number.isNaN(noticeEndsAt) ? null : noticeEndsAt;
    lease.noticeReason = REASONS[reasons[row * 2 + 1]!]!;
    const [endedAt, revision] = [numbers[at + ENDED_AT]!, numbers[at + REVISION]!];
    return { lease, endedAt, reason: REASONS[reasons[row * 2]!]!, revision };
  }

  bytesOf(row: number): number {
    return endedBytes(this.terms[row]!.bytes, this.names[row]!, this.keys[row]!);
  }
}

/** Rows by the hashes of their ids: heads by hash, and from a row to the one before it in its chain; 0 = none, else row + 1. */
class IdChains {
  readonly #heads = new Int16Array(HEADS);
  readonly #links = new Int16Array(SEGMENT);
  size = 0;

  extend(ids: readonly string[], size: number): void {
    for (; this.size < size; this.size++) {
      const id = ids[this.size];
      if (id === undefined) continue; // the first of the pool's that is known lies behind it
      const head = hashOf(id) & (HEADS - 1);
      this.#links[this.size] = this.#heads[head]!;
      this.#heads[head] = this.size + 1;
    }
  }

  find(ids: readonly string[], leaseId: string, hash: number, count: number): number {
    for (let link = this.#heads[hash & (HEADS - 1)]!; link !== 0; link = this.#links[link - 1]!)
      if (link <= count && ids[link - 1] === leaseId) return link - 1;
    return -1;
  }
}

/**
 * Ended leases in the order of their ends, found by id and by grant. They are the larger part of a pool's state (a hundred thousand
 * are kept) and looked at rarely, so they lie in arrays, without an object for each, in segments of some hundred: nothing is ever
 * moved, and what is forgotten goes when its whole segment is. What is made to find them is made for a segment at a time, when somebody
 * asks. Objects are made for those that are asked for.
 */
export class EndedLeases extends Undoable {
  /** By the numbers of their ends, in their order. */
  #segments = new Map<number, Segment>();
  #first = 0;
  #next = 0;
  /** What was forgotten from here on may come back by an undo, and is kept. */
  #floor = 0;
  /** Full segments below this one can be found by id; those from here on are looked through. */
  #indexedTo = 0;
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
    return this.#segmentOf(this.#first).numbers[rowOf(this.#first) * ROW + ENDED_AT]!;
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
    return this.#segmentOf(n).read(rowOf(n));
  }

  /** In the order of their ends. */
  *values(): Generator<EndedLease> {
    for (let n = this.#first; n < this.#next; n++) yield this.nth(n);
  }

  /**
   * Those whose token is above `token`, in the order of their grants. Only segments whose tokens the order has come to are put in order;
   * as most leases end nearly as they were granted, those are few.
   */
  *after(token: number): Generator<EndedLease> {
    const coming = [...this.#segments].filter(([, { highestToken }]) => highestToken > token);
    coming.sort(([, a], [, b]) => b.leastToken - a.leastToken);
    const open: Run[] = [];
    for (;;) {
      let least = leastOf(open);
      while (coming.length > 0 && (least === undefined || coming.at(-1)![1].leastToken < tokenAt(least))) {
        const run = this.#runAfter(token, ...coming.pop()!);
        if (run.at < run.rows.length) open.push(run);
        least = leastOf(open);
      }
      if (least === undefined) return;
      const row = least.rows[least.at]!;
      if (least.begin + row >= this.#first) yield least.segment.read(row);
      least.at += 1;
      if (least.at === least.rows.length) open.splice(open.indexOf(least), 1);
    }
  }

  add(lease: LeaseRecord, endedAt: number, reason: ReclaimReason | null, revision: number): void {
    const n = this.#next;
    const segment = this.#own(numberOf(n));
    segment.write(rowOf(n), lease, endedAt, reason, revision);
    this.#next += 1;
    this.#bytes += segment.bytesOf(rowOf(n));
  }

  /** The oldest. `mayComeBack`: an undo can follow. */
  forgetFirst(mayComeBack: boolean): void {
    this.#bytes -= this.#bytesOf(this.#first);
    this.#first += 1;
    if (!mayComeBack) this.settle();
  }

  /** What was done until now stands: no undo of it follows. */
  settle(): void {
    for (; this.#floor < this.#first; this.#floor++) {
      if (rowOf(this.#floor) === SEGMENT - 1) this.#segments.delete(numberOf(this.#floor));
      else this.#own(numberOf(this.#floor)).clear(rowOf(this.#floor));
    }
  }

  /** Takes back the last step that was not taken back yet, which must be this one. */
  override undo(step: EndedStep): void {
    if (step === 'forgotten') {
      this.#first -= 1;
      this.#bytes += this.#bytesOf(this.#first);
    } else {
      this.#next -= 1;
      this.#bytes -= this.#bytesOf(this.#next);
      this.#indexedTo = Math.min(this.#indexedTo, numberOf(this.#next));
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
    [leases.#first, leases.#next, leases.#floor] = [first, first, first];
    return leases;
  }

  /** Of its own; a segment is copied by whoever of the two writes to it first. */
  copy(): EndedLeases {
    const copied = new EndedLeases();
    for (const segment of this.#segments.values()) segment.isShared = true;
    copied.#segments = new Map(this.#segments);
    [copied.#first, copied.#next, copied.#floor] = [this.#first, this.#next, this.#floor];
    [copied.#indexedTo, copied.#bytes] = [this.#indexedTo, this.#bytes];
    return copied;
  }

  /** The number of its end, of several the last; -1 if it is not kept. */
  #find(leaseId: string): number {
    this.#index();
    const hash = hashOf(leaseId);
    for (let number = numberOf(this.#next); number >= numberOf(this.#first); number--) {
      const row = this.#segments.get(number)?.find(leaseId, hash, Math.min(SEGMENT, this.#next - number * SEGMENT));
      if (row !== undefined && row >= 0) return number * SEGMENT + row < this.#first ? -1 : number * SEGMENT + row;
    }
    return -1;
  }

  /** The last segment, and some of the full ones that are not in the index yet. */
  #index(): void {
    const last = numberOf(this.#next);
    this.#segments.get(last)?.index(rowOf(this.#next));
    this.#indexedTo = Math.max(this.#indexedTo, numberOf(this.#first));
    for (let left = INDEXED_AT_ONCE; left > 0 && this.#indexedTo < last; left--, this.#indexedTo++)
      this.#segments.get(this.#indexedTo)!.index(SEGMENT);
  }

  /** To be written to; made when there is none. */
  #own(number: number): Segment {
    const there = this.#segments.get(number);
    if (there !== undefined && !there.isShared) return there;
    const own = new Segment(there);
    this.#segments.set(number, own);
    return own;
  }

  #runAfter(token: number, number: number, segment: Segment): Run {
    const rows = segment.byToken(Math.min(SEGMENT, this.#next - number * SEGMENT));
    return { segment, begin: number * SEGMENT, rows, at: placeAfter(segment, rows, token) };
  }

  #segmentOf(n: number): Segment {
    return this.#segments.get(numberOf(n))!;
  }

  #bytesOf(n: number): number {
    return this.#segmentOf(n).bytesOf(rowOf(n));
  }
}

/** Where the order of the grants stands in a segment. */
interface Run {
  readonly segment: Segment;
  /** The number of its first row. */
  readonly begin: number;
  /** In the order of their tokens. */
  readonly rows: readonly number[];
  /** The next of `rows`. */
  at: number;
}

const tokenAt = ({ segment, rows, at }: Run): number => segment.tokenOf(rows[at]!);

/** The run whose next has the least token. */
function leastOf(runs: readonly Run[]): Run | undefined {
  let least: Run | undefined;
  for (const run of runs) if (least === undefined || tokenAt(run) < tokenAt(least)) least = run;
  return least;
}

/** Of the first row whose token is above `token`. */
function placeAfter(segment: Segment, rows: readonly number[], token: number): number {
  return lowerBound(rows.length, (place) => segment.tokenOf(rows[place]!) <= token);
}

const numberOf = (n: number): number => Math.floor(n / SEGMENT);
const rowOf = (n: number): number => n % SEGMENT;

/** FNV-1a (Fowler, Noll, Vo), over UTF-16 units. */
const FNV_BASIS = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

function hashOf(id: string): number {
  let hash = FNV_BASIS;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), FNV_PRIME);
  return hash ^ (hash >>> 15);
}
