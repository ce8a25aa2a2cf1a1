/**
 * The rate of a counter that only rises, over a window of at least `minWindowMs`: a shorter one would show the counter's
 * resolution, not the load. Until there is a window the rate is unknown; a counter that falls was reset and starts anew.
 */
export class RateMeter {
  readonly #minWindowMs: number;
  #count: number;
  #atMs: number;
  #perMs: number | undefined;

  constructor(count: number, atMs: number, minWindowMs: number) {
    this.#count = count;
    this.#atMs = atMs;
    this.#minWindowMs = minWindowMs;
  }

  /** Counts per ms over the last full window, or undefined before the first. `atMs` is monotonic. */
  update(count: number, atMs: number): number | undefined {
    const elapsedMs = atMs - this.#atMs;
    if (elapsedMs < this.#minWindowMs && count >= this.#count) return this.#perMs;
    if (count >= this.#count) this.#perMs = (count - this.#count) / elapsedMs;
    this.#count = count;
    this.#atMs = atMs;
    return this.#perMs;
  }
}
