import type { RecordedEvent } from '../model/events.ts';

/** Of an own append's duration: within so much of it a writer whose turn it is has committed, and the others have heard of it. */
const SLOT_RATIO = 3;
/** Of the time that others have needed to use their turn: they may be further away from the log. */
const NEEDED_RATIO = 2;
/** Of an own append's duration: in so much of it another can read what is new, decide and append. */
const GAP_RATIO = 3;
/** But no less, ms: nobody knows how far away that one is. */
const GAP_MS = 10;
/** No turn is waited for longer, ms, whatever the log's pace. */
const LONGEST_MS = 50;
/** So many turns in a row are waited for; then the writer has nothing to append, until it commits again. */
const PATIENCE = 3;
/** A writer that appends without a break makes room so often, ms, for one that nobody has heard of yet. */
const GAP_EVERY_MS = 400;
/** Of a new duration in the mean. */
const WEIGHT = 0.2;

/** What ids of one writer begin with (`CommandIds`). */
const headOf = ({ id }: RecordedEvent): string => id.slice(0, 18);

const mean = (before: number, value: number): number => (before === 0 ? value : before + WEIGHT * (value - before));

/**
 * Whose turn it is to append, among several writers of one log: whose last commit is the oldest. Each sees the same log, so they
 * agree without a word; each place further back waits one slot, and who lets slots go by is passed over until it commits
 * again. Only a courtesy: without it the writer that has just won wins again, since it alone knows already what it wrote, and the
 * others are defeated without end. What may be appended is decided by the revision alone.
 */
export class WriterRotation {
  readonly #own: string;
  /** Writers that use their turns, the one whose last commit is the oldest first, and how many they let go by since then. */
  readonly #active = new Map<string, number>();
  #last = '';
  #lastMs = Number.NEGATIVE_INFINITY;
  #gapMs = Number.NEGATIVE_INFINITY;
  /** Means. 0: not known. */
  #appendMs = 0;
  #neededMs = 0;
  /** There is something to append, when the turn has come. */
  #waits = false;

  /** `anyId`: one of this writer's own command ids. */
  constructor(anyId: string) {
    this.#own = anyId.slice(0, 18);
  }

  /** An own batch was appended, which took `durationMs`. */
  appended(durationMs: number, nowMs: number): void {
    this.#appendMs = mean(this.#appendMs, durationMs);
    this.#went(this.#own);
    this.#lastMs = nowMs;
  }

  /** What others have appended was taken in. */
  observed(events: readonly RecordedEvent[], nowMs: number): void {
    if (this.#waits && this.#last === this.#own)
      this.#neededMs = mean(this.#neededMs, Math.min(nowMs - this.#lastMs, LONGEST_MS));
    for (const event of events) this.#went(headOf(event));
    this.#lastMs = nowMs;
  }

  /** How long to wait before the next append; 0: it is this writer's turn. */
  waitMs(nowMs: number): number {
    const waitMs = this.#leftMs(nowMs);
    this.#waits = waitMs > 0;
    return waitMs;
  }

  #leftMs(nowMs: number): number {
    const before = this.#before();
    if (before === 0 && this.#active.size <= 1) return this.#gap(nowMs);
    const slotMs = Math.max(SLOT_RATIO * this.#appendMs, NEEDED_RATIO * this.#neededMs);
    const leftMs = this.#lastMs + Math.min(before * slotMs, LONGEST_MS) - nowMs;
    if (leftMs > 0) return leftMs;
    for (const head of [...this.#active.keys()].slice(0, before)) this.#letGo(head);
    return 0;
  }

  #letGo(head: string): void {
    const times = this.#active.get(head)! + 1;
    if (times < PATIENCE) this.#active.set(head, times);
    else this.#active.delete(head);
  }

  /** How many go before this writer. One that has never committed is the first. */
  #before(): number {
    let before = 0;
    for (const head of this.#active.keys()) {
      if (head === this.#own) return before;
      before += 1;
    }
    return 0;
  }

  /** A pause since the last append is a gap, too. */
  #gap(nowMs: number): number {
    if (this.#appendMs === 0) return 0;
    const gapMs = Math.min(Math.max(GAP_RATIO * this.#appendMs, GAP_MS), LONGEST_MS);
    const leftMs = this.#lastMs + gapMs - nowMs;
    if (leftMs <= 0) this.#gapMs = nowMs;
    return nowMs - this.#gapMs < GAP_EVERY_MS ? 0 : leftMs;
  }

  #went(head: string): void {
    if (head === this.#last && this.#active.has(head)) return;
    this.#active.delete(head);
    this.#active.set(head, 0);
    this.#last = head;
  }
}
