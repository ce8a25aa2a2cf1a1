import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 20;
const LONGEST_MS = 2_000;

/** Waits before the `attempt`-th retry (from 1): a draw below an exponentially growing ceiling. `signal` ends it early. */
export async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  const ceilingMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 20));
  await sleep(FIRST_MS / 2 + Math.random() * ceilingMs, undefined, { signal }).catch(() => {});
}
