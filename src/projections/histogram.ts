/** How many values were at most each bound, as Prometheus counts: each bucket includes the ones below. */
export interface HistogramView {
  readonly count: number;
  readonly sum: number;
  /** By upper bound in ms, inclusive; what is above the last bound is in `count` only. */
  readonly buckets: Readonly<Record<string, number>>;
}

interface SavedHistogram {
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Durations in whole ms, counted by size. */
export class Histogram {
  readonly #boundsMs: readonly number[];
  /** One for each bound, and one for what is above the last; not cumulative. */
  #counts: number[];
  #sum = 0;

  /** `boundsMs` ascend. */
  constructor(boundsMs: readonly number[]) {
    this.#boundsMs = boundsMs;
    this.#counts = new Array<number>(boundsMs.length + 1).fill(0);
  }

  observe(ms: number): void {
    let place = 0;
    while (place < this.#boundsMs.length && ms > this.#boundsMs[place]!) place += 1;
    this.#counts[place]! += 1;
    this.#sum += ms;
  }

  view(): HistogramView {
    let count = 0;
    const buckets: Record<string, number> = {};
    for (let place = 0; place < this.#boundsMs.length; place++) {
      count += this.#counts[place]!;
      buckets[String(this.#boundsMs[place])] = count;
    }
    return { count: count + this.#counts.at(-1)!, sum: this.#sum, buckets };
  }

  reset(): void {
    this.#counts.fill(0);
    this.#sum = 0;
  }

  save(): SavedHistogram {
    return { counts: [...this.#counts], sum: this.#sum };
  }

  load({ counts, sum }: SavedHistogram): void {
    this.#counts = [...counts];
    this.#sum = sum;
  }
}
