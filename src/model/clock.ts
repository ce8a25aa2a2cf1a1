/**
 * Time as the manager sees it. Only the outer rooms hold a clock; the core gets instants as data.
 */
export interface Clock {
  /** Wall time in integer Unix ms; may jump. */
  now(): number;
  /** Monotonic ms; never goes back, says nothing about the wall. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels. Timers do not keep the process alive. */
  schedule(delayMs: number, run: () => void): () => void;
}
