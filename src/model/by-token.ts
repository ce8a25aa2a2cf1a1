const FIRST_CAPACITY = 64;

/**
 * Values by fencing token. Tokens are a pool's count of grants (from 1), so the live ones lie close together: a value has its
 * place by the low bits of its token, and one that outlives a whole round makes way for the next. A look-up is a few ns, where
 * a map by lease id takes 180 to hash a fresh id. The order of `values` means nothing.
 */
export class ByToken<Value extends {}> {
  /** By place; 0 = free. */
  #tokens: number[] = new Array(FIRST_CAPACITY).fill(0);
  #values: (Value | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  readonly #older = new Map<number, Value>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(token: number): Value | undefined {
    const place = token & (this.#tokens.length - 1);
    if (this.#tokens[place] === token) return this.#values[place];
    return this.#older.size === 0 ? undefined : this.#older.get(token);
  }

  set(token: number, value: Value): void {
    const place = token & (this.#tokens.length - 1);
    if (this.#tokens[place] === token) this.#values[place] = value;
    else if (this.#older.size > 0 && this.#older.has(token)) this.#older.set(token, value);
    else this.#add(token, value);
  }

  /** False if there was none. */
  delete(token: number): boolean {
    const place = token & (this.#tokens.length - 1);
    const isHere = this.#tokens[place] === token;
    if (isHere) {
      this.#tokens[place] = 0;
      this.#values[place] = undefined;
    }
    const deleted = isHere || (this.#older.size > 0 && this.#older.delete(token));
    if (deleted) this.#size -= 1;
    return deleted;
  }

  *values(): Generator<Value> {
    yield* this.#older.values();
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  #add(token: number, value: Value): void {
    this.#size += 1;
    if (this.#size * 2 > this.#tokens.length) this.#grow();
    this.#put(token, value);
  }

  /** The older of two that want one place makes way. */
  #put(token: number, value: Value): void {
    const place = token & (this.#tokens.length - 1);
    const there = this.#tokens[place]!;
    if (there > token) {
      this.#older.set(token, value);
      return;
    }
    if (there !== 0) this.#older.set(there, this.#values[place]!);
    this.#tokens[place] = token;
    this.#values[place] = value;
  }

  /** Room for twice as many: of the tokens of a place each has the same one then, or that one in the upper half. */
  #grow(): void {
    const [tokens, values, older] = [this.#tokens, this.#values, [...this.#older]];
    const half = tokens.length;
    this.#tokens = new Array(half * 2).fill(0);
    this.#values = new Array(half * 2).fill(undefined);
    this.#older.clear();
    for (let place = 0; place < half; place += 1) {
      const token = tokens[place]!;
      if (token === 0) continue;
      const now = token & (half * 2 - 1);
      this.#tokens[now] = token;
      this.#values[now] = values[place];
    }
    for (const [token, value] of older) this.#put(token, value);
  }
}
