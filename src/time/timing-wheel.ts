/**
 * A hierarchical timing wheel (Varghese and Lauck, SOSP 1987; levels chosen by the highest digit in which due and present
 * tick differ, as in Tokio's). Entries live in typed arrays: inserting and cancelling cost O(1) and allocate nothing, an
 * entry moves down at most once a level before it is due. It knows no clock: ticks come from outside.
 */
const SLOT_BITS = 6;
const SLOTS = 1 << SLOT_BITS;
const LEVELS = 7;
/** Ticks that one slot of each level spans, and one past the last: 64^0 ... 64^7. */
const SPAN: readonly number[] = Array.from({ length: LEVELS + 1 }, (_, level) => SLOTS ** level);
/** The last tick a wheel can hold: 64^7 - 1, at a millisecond a tick 139 years. */
export const MAX_TICK = SLOTS ** LEVELS - 1;
const NONE = -1;

export class TimingWheel {
  /** Heads and tails of the slots' lists, level by level. */
  readonly #head = new Int32Array(LEVELS * SLOTS).fill(NONE);
  readonly #tail = new Int32Array(LEVELS * SLOTS).fill(NONE);
  /** Which slots hold entries: two words of 32 bits a level. */
  readonly #occupied = new Int32Array(LEVELS * 2);
  #due: Float64Array;
  #next: Int32Array;
  #previous: Int32Array;
  /** The slot that an entry hangs in; NONE = the entry is free, and `next` leads to another free one. */
  #slot: Int16Array;
  #free = NONE;
  #used = 0;
  #size = 0;
  #now = 0;

  constructor(capacity = 64) {
    this.#due = new Float64Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#previous = new Int32Array(capacity);
    this.#slot = new Int16Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** The entry's handle: a small integer, used again once the entry is due or cancelled. A tick in the past is due at once. */
  insert(dueTick: number): number {
    if (!(dueTick <= MAX_TICK)) throw new RangeError(`dueTick is ${dueTick}; allowed: up to ${MAX_TICK}`);
    const entry = this.#allocate();
    this.#due[entry] = Math.max(dueTick, this.#now);
    this.#link(entry);
    this.#size++;
    return entry;
  }

  cancel(entry: number): void {
    this.#unlink(entry);
    this.#release(entry);
  }

  dueTick(entry: number): number {
    return this.#due[entry]!;
  }

  /** No entry is due before this tick; on an upper level it is the tick at which entries move down. Infinity = empty. */
  nextTick(): number {
    for (let level = 0; level < LEVELS; level++) {
      const slot = this.#firstOccupied(level);
      if (slot !== NONE) return Math.max(this.#now, this.#startOf(level, slot));
    }
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Moves on to `tick` and gives the entries that are due by then to `take`, in order of their ticks and, of one tick,
   * of their insertion; at most `max` of them. Answers how many it gave: `max` means that there may be more.
   */
  expire(tick: number, max: number, take: (entry: number) => void): number {
    let given = 0;
    for (let next = this.nextTick(); next <= tick; next = this.nextTick()) {
      this.#now = next;
      given += this.#expireOrCascade(max - given, take);
      if (given >= max) return given;
    }
    this.#now = Math.max(this.#now, tick);
    return given;
  }

  /** At the start of the lowest occupied slot: gives its entries if it is of level 0, else hangs them one level down or more. */
  #expireOrCascade(max: number, take: (entry: number) => void): number {
    let level = 0;
    let slot = this.#firstOccupied(0);
    while (slot === NONE) slot = this.#firstOccupied(++level);
    return level === 0 ? this.#give(slot, max, take) : this.#cascade(level * SLOTS + slot);
  }

  #give(slot: number, max: number, take: (entry: number) => void): number {
    let given = 0;
    for (let entry = this.#head[slot]!; entry !== NONE && given < max; entry = this.#head[slot]!) {
      this.#unlink(entry);
      this.#release(entry);
      given++;
      take(entry);
    }
    return given;
  }

  #cascade(slot: number): number {
    let entry = this.#head[slot]!;
    this.#head[slot] = NONE;
    this.#tail[slot] = NONE;
    this.#setOccupied(slot, false);
    while (entry !== NONE) {
      const next = this.#next[entry]!;
      this.#link(entry);
      entry = next;
    }
    return 0;
  }

  /** The first occupied slot of a level, counted from the present position; NONE = none. Slots behind it are empty. */
  #firstOccupied(level: number): number {
    const low = this.#occupied[level * 2]!;
    if (low !== 0) return lowestBit(low);
    const high = this.#occupied[level * 2 + 1]!;
    return high === 0 ? NONE : 32 + lowestBit(high);
  }

  #startOf(level: number, slot: number): number {
    const rotation = SPAN[level + 1]!;
    return Math.floor(this.#now / rotation) * rotation + slot * SPAN[level]!;
  }

  /** The level is the lowest whose whole rotation holds both the present tick and the due one. */
  #link(entry: number): void {
    const due = this.#due[entry]!;
    let level = 0;
    while (Math.floor(due / SPAN[level + 1]!) !== Math.floor(this.#now / SPAN[level + 1]!)) level++;
    const slot = level * SLOTS + (Math.floor(due / SPAN[level]!) % SLOTS);
    const last = this.#tail[slot]!;
    this.#slot[entry] = slot;
    this.#previous[entry] = last;
    this.#next[entry] = NONE;
    this.#tail[slot] = entry;
    if (last !== NONE) {
      this.#next[last] = entry;
      return;
    }
    this.#head[slot] = entry;
    this.#setOccupied(slot, true);
  }

  #unlink(entry: number): void {
    const slot = this.#slot[entry]!;
    const next = this.#next[entry]!;
    const previous = this.#previous[entry]!;
    if (next === NONE) this.#tail[slot] = previous;
    else this.#previous[next] = previous;
    if (previous !== NONE) {
      this.#next[previous] = next;
      return;
    }
    this.#head[slot] = next;
    if (next === NONE) this.#setOccupied(slot, false);
  }

  #setOccupied(slot: number, occupied: boolean): void {
    const bit = 1 << (slot & 31);
    if (occupied) this.#occupied[slot >> 5]! |= bit;
    else this.#occupied[slot >> 5]! &= ~bit;
  }

  #allocate(): number {
    const entry = this.#free;
    if (entry === NONE) {
      if (this.#used === this.#due.length) this.#grow();
      return this.#used++;
    }
    this.#free = this.#next[entry]!;
    return entry;
  }

  #release(entry: number): void {
    this.#slot[entry] = NONE;
    this.#next[entry] = this.#free;
    this.#free = entry;
    this.#size--;
  }

  #grow(): void {
    const capacity = this.#due.length * 2;
    this.#due = grown(this.#due, new Float64Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity));
    this.#previous = grown(this.#previous, new Int32Array(capacity));
    this.#slot = grown(this.#slot, new Int16Array(capacity));
  }
}

const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);

function grown<A extends Float64Array | Int32Array | Int16Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
