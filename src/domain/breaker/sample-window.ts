/** What a breaker judges by: of the last calls, how many there were within a time, how many failed, how many were slow. */
export interface Rates {
  readonly calls: number;
  readonly failed: number;
  readonly slow: number;
}

/** The last `size` outcomes, in a ring: each is written over the oldest. */
export class SampleWindow {
  readonly #at: Float64Array;
  readonly #durationMs: Float64Array;
  readonly #ok: Uint8Array;
  #count = 0;

  constructor(size: number) {
    this.#at = new Float64Array(size);
    this.#durationMs = new Float64Array(size);
    this.#ok = new Uint8Array(size);
  }

  get size(): number {
    return this.#at.length;
  }

  add(ok: boolean, durationMs: number, at: number): void {
    const place = this.#count % this.#at.length;
    this.#at[place] = at;
    this.#durationMs[place] = durationMs;
    this.#ok[place] = ok ? 1 : 0;
    this.#count += 1;
  }

  /** Of the outcomes since `since` (Unix ms). */
  rates(since: number, slowCallMs: number): Rates {
    let [calls, failed, slow] = [0, 0, 0];
    for (let place = 0; place < Math.min(this.#count, this.#at.length); place++) {
      if (this.#at[place]! < since) continue;
      calls += 1;
      if (this.#ok[place] === 0) failed += 1;
      if (this.#durationMs[place]! >= slowCallMs) slow += 1;
    }
    return { calls, failed, slow };
  }
}
