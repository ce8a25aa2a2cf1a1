/**
 * How long one piece of work goes on before it lets the event loop turn, in ms. The bound for a turn is 10 ms: in one there may be a
 * slice of each kind (requests, readers, what follows the log), the step that a slice ends with, and a short garbage collection.
 */
export const SLICE_MS = 2;

const monotonicMs = (): number => performance.now();

/** The time that work in many small steps has before it lets the event loop turn. */
export class Slice {
  readonly #turn: () => Promise<void>;
  readonly #nowMs: () => number;
  #endMs: number;

  /** `turn`: resolves when the loop has turned; of a reader among others `readersTurn`. `nowMs`: a monotonic clock. */
  constructor(turn: () => Promise<void> = nextTurn, nowMs = monotonicMs) {
    this.#turn = turn;
    this.#nowMs = nowMs;
    this.#endMs = nowMs() + SLICE_MS;
  }

  /** Its time is used up: `next` is due. */
  get isOver(): boolean {
    return this.#nowMs() >= this.#endMs;
  }

  /** How long it has gone on, ms. */
  get spentMs(): number {
    return this.#nowMs() - this.#endMs + SLICE_MS;
  }

  /** A slice begins now: the loop has turned meanwhile. */
  begin(): void {
    this.#endMs = this.#nowMs() + SLICE_MS;
  }

  /** Resolves in a later turn of the loop, at the beginning of another slice. */
  async next(): Promise<void> {
    await this.#turn();
    this.begin();
  }
}

/** So many works begin in one turn of the loop at most, however short they are. */
const BEGUN_AT_ONCE = 16;

/**
 * Works that begin in the order of coming, whoever brings them: at once, until those of this turn of the loop have taken a slice
 * together, and then in the turns that follow. What a work goes on with before the loop turns counts, too.
 */
export class Admission {
  readonly #later: (run: () => void) => void;
  readonly #nowMs: () => number;
  readonly #waiting: (() => void)[] = [];
  /** When this turn's slice ends; undefined = nothing has begun in it. */
  #endMs: number | undefined;
  #due = 0;

  /** `later` runs a function in the next turn of the loop. */
  constructor(later: (run: () => void) => void = setImmediate, nowMs = monotonicMs) {
    this.#later = later;
    this.#nowMs = nowMs;
  }

  begin(work: () => void): void {
    if (this.#waiting.length === 0 && this.#hasTime()) work();
    else {
      this.#waiting.push(work);
      if (this.#due === 0) this.#goOn();
    }
  }

  #hasTime(): boolean {
    const nowMs = this.#nowMs();
    if (this.#endMs === undefined) {
      this.#endMs = nowMs + SLICE_MS;
      this.#later(this.#turned);
    }
    return nowMs < this.#endMs;
  }

  readonly #turned = (): void => {
    this.#endMs = undefined;
  };

  /** Each begins in a callback of its own, after all that the one before goes on with at once. */
  #goOn(): void {
    this.#due = Math.min(this.#waiting.length, BEGUN_AT_ONCE);
    for (let n = 0; n < this.#due; n += 1) this.#later(this.#beginNext);
  }

  readonly #beginNext = (): void => {
    this.#due -= 1;
    if (this.#hasTime()) this.#waiting.shift()?.();
    if (this.#due === 0 && this.#waiting.length > 0) this.#goOn();
  };
}

const waiting: (() => void)[] = [];
let asked = 0;
let given = 0;

/**
 * Resolves when the event loop has turned and it is this caller's turn. Long work goes in slices of some ms, and before each it
 * waits here: input, timers and commands come in between, and however many wait, one slice is done in each turn of the loop, whoever
 * has waited longest first. (A resolved promise, and `setImmediate` of each reader, would let all of them run before any input.)
 */
export function readersTurn(): Promise<void> {
  asked += 1;
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(admit);
  });
}

function admit(): void {
  given += 1;
  waiting.shift()!();
  if (waiting.length > 0) setImmediate(admit);
}

/** Resolves when the event loop has turned, whatever readers wait: for work that others wait for, as recovery is, or a lost race. */
export function nextTurn(): Promise<void> {
  asked += 1;
  return new Promise((resolve) => {
    setImmediate(() => {
      given += 1;
      resolve();
    });
  });
}

/** How many turns have been asked for, and how many of them are due yet: for tests, which let all work settle before time goes on. */
export const turnsAsked = (): { readonly asked: number; readonly due: number } => ({ asked, due: asked - given });
