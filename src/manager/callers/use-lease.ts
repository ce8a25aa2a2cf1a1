import type { Clock } from '../../model/clock.ts';
import type { Lease } from './lease.ts';

/**
 * Runs `work` under the lease, renewing it until the work settles, and releases it whatever happens. A renewal that fails is tried
 * again at the next interval; should the lease be lost, its `signal` tells the work.
 */
export async function useLease<T>(lease: Lease, clock: Clock, work: (lease: Lease) => T | Promise<T>): Promise<T> {
  let cancel: () => void = () => undefined;
  const renewLater = (): void => {
    cancel = clock.schedule(Math.max(1, lease.renewAfterMs), () => {
      renewLater();
      lease.renew().catch(() => undefined); // told by `signal`, or mended by the next one
    });
  };
  renewLater();
  try {
    return await work(lease);
  } finally {
    cancel();
    await lease[Symbol.asyncDispose]();
  }
}
