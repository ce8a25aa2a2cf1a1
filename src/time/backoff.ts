import type { Clock } from '../model/clock.ts';

/** A draw in [0, 1). */
export type Jitter = () => number;

/**
 * How long to wait before the `attempt`-th retry (from 1): a draw below an exponentially growing ceiling, so that writers that
 * lost together do not meet again ("full jitter", Brooker, AWS Architecture Blog, 2015).
 */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, jitter: Jitter): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return baseMs / 2 + jitter() * (ceilingMs - baseMs / 2);
}

/** Resolves after `delayMs`, or as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.schedule(delayMs, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}
