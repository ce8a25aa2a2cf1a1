import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const SAMPLE_MS = 1_000;
const NS_PER_MS = 1e6;

/** How late the event loop was, on average over the last second, in ms. It reads no file, so that it cannot fail. */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #delayMs = 0;

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #sample(): void {
    const meanMs = this.#histogram.count === 0 ? 0 : this.#histogram.mean / NS_PER_MS - RESOLUTION_MS;
    this.#delayMs = Math.max(0, meanMs);
    this.#histogram.reset();
  }
}
