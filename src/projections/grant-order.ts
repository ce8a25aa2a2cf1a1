/**
 * Leases in the order of their grants. Tokens only rise, so a lease once passed never comes again and a new one comes last:
 * a page that starts after a token neither skips nor repeats, whatever was granted, ended or forgotten meanwhile.
 */
export class GrantOrder {
  #tokens: number[] = [];
  #ids: string[] = [];

  get size(): number {
    return this.#ids.length;
  }

  add(token: number, leaseId: string): void {
    this.#tokens.push(token);
    this.#ids.push(leaseId);
  }

  /** The ids of leases granted after the one with `token`. */
  *after(token: number): Generator<string> {
    for (let place = this.#placeAfter(token); place < this.#ids.length; place++) yield this.#ids[place]!;
  }

  /** Forgets all but what `isKept`. */
  prune(isKept: (leaseId: string) => boolean): void {
    let kept = 0;
    for (let place = 0; place < this.#ids.length; place++) {
      if (!isKept(this.#ids[place]!)) continue;
      this.#ids[kept] = this.#ids[place]!;
      this.#tokens[kept] = this.#tokens[place]!;
      kept += 1;
    }
    this.#ids.length = kept;
    this.#tokens.length = kept;
  }

  clear(): void {
    this.#tokens = [];
    this.#ids = [];
  }

  #placeAfter(token: number): number {
    let low = 0;
    let high = this.#tokens.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#tokens[middle]! <= token) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
