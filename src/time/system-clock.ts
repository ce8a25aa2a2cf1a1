import type { Clock } from '../model/clock.ts';

/** The longest delay that Node's timers take, in ms; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** This machine's time. Delays of any length are kept, and no timer keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule: (delayMs, run) => (delayMs <= MAX_TIMER_MS ? scheduleShort(delayMs, run) : scheduleLong(delayMs, run)),
};

function scheduleShort(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
}

/** Waits in legs that a timer can hold, measured on the monotonic clock so that the legs' lateness does not add up. */
function scheduleLong(delayMs: number, run: () => void): () => void {
  const dueMs = performance.now() + delayMs;
  let cancel = (): void => undefined;
  const leg = (): void => {
    const leftMs = dueMs - performance.now();
    cancel = scheduleShort(Math.min(Math.max(0, leftMs), MAX_TIMER_MS), leftMs <= MAX_TIMER_MS ? run : leg);
  };
  leg();
  return () => cancel();
}
