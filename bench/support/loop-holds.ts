import { cpuUs } from './undone-pool.ts';

/**
 * For how long at most the event loop was held, ms: by the clock, or by this thread's CPU where that is less, as what others on the
 * machine do counts for nothing. (By CPU alone would be wrong by some ms: kernels count it in ticks.)
 */
export class LoopHolds {
  longestMs = 0;
  #lastUs = cpuUs();
  #lastMs = performance.now();
  #running = true;

  constructor() {
    const tick = (): void => {
      const heldMs = Math.min((cpuUs() - this.#lastUs) / 1_000, performance.now() - this.#lastMs);
      this.longestMs = Math.max(this.longestMs, heldMs);
      this.#lastUs = cpuUs();
      this.#lastMs = performance.now();
      if (this.#running) setImmediate(tick);
    };
    setImmediate(tick);
  }

  /** The longest, once the loop has gone round. */
  async stop(): Promise<number> {
    this.#running = false;
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    return this.longestMs;
  }
}
