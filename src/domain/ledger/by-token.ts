/** Tokens of a page. */
const PAGE = 512;
/** A page behind the newest one that holds no more than this is given up, and what it holds lies apart. */
const SPARSE = 32;

interface Page<Value> {
  readonly values: (Value | undefined)[];
  size: number;
}

/**
 * Values by fencing token. Tokens are a pool's count of grants (from 1), so the live ones lie close together: they lie in pages of
 * tokens that follow each other, and those that outlive nearly all of their page lie apart. A look-up is a few ns, where a map by
 * lease id takes 180 to hash a fresh id. However many there are, no step moves more than some of one page. The order of `values`
 * means nothing.
 */
export class ByToken<Value extends {}> {
  readonly #pages = new Map<number, Page<Value>>();
  readonly #older = new Map<number, Value>();
  /** The page of the highest token so far, which stays however few it holds. */
  #newest = -1;
  #size = 0;
  /** How often values were moved from one place to another: for tests. */
  moved = 0;

  get size(): number {
    return this.#size;
  }

  get(token: number): Value | undefined {
    const value = this.#pages.get(pageOf(token))?.values[token % PAGE];
    return value !== undefined || this.#older.size === 0 ? value : this.#older.get(token);
  }

  set(token: number, value: Value): void {
    const number = pageOf(token);
    if (number > this.#newest) this.#begin(number);
    const page = this.#pages.get(number);
    if (page === undefined) {
      if (!this.#older.has(token)) this.#size += 1;
      this.#older.set(token, value);
      return;
    }
    if (page.values[token % PAGE] === undefined) {
      page.size += 1;
      this.#size += 1;
    }
    page.values[token % PAGE] = value;
  }

  /** False if there was none. */
  delete(token: number): boolean {
    const number = pageOf(token);
    const page = this.#pages.get(number);
    if (page === undefined ? !this.#older.delete(token) : page.values[token % PAGE] === undefined) return false;
    this.#size -= 1;
    if (page === undefined) return true;
    page.values[token % PAGE] = undefined;
    page.size -= 1;
    if (number !== this.#newest && page.size <= SPARSE) this.#giveUp(number, page);
    return true;
  }

  *values(): Generator<Value> {
    yield* this.#older.values();
    for (const { values } of this.#pages.values()) for (const value of values) if (value !== undefined) yield value;
  }

  #begin(number: number): void {
    const before = this.#pages.get(this.#newest);
    if (before !== undefined && before.size <= SPARSE) this.#giveUp(this.#newest, before);
    this.#newest = number;
    this.#pages.set(number, { values: new Array(PAGE).fill(undefined), size: 0 });
  }

  #giveUp(number: number, { values, size }: Page<Value>): void {
    this.#pages.delete(number);
    this.moved += size;
    if (size === 0) return;
    for (let place = 0; place < PAGE; place++) {
      const value = values[place];
      if (value !== undefined) this.#older.set(number * PAGE + place, value);
    }
  }
}

/** A token may be larger than what a shift keeps. */
const pageOf = (token: number): number => Math.floor(token / PAGE);
