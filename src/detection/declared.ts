import type { SystemResources } from '../model/interfaces.ts';
import type { Amounts } from '../model/values/amounts.ts';

type Resources = SystemResources['resources'];

/**
 * Declared totals with the usage that this machine shows: no more is available than the machine can back now. Of dimensions
 * that it does not have, all is available.
 */
export function declare(capacity: Amounts, detected: Resources): Resources {
  return Object.fromEntries(
    Object.entries(capacity).map(([dimension, total]) => {
      const seen = detected[dimension];
      const available = Math.min(total, seen?.available ?? total);
      return [dimension, { total, used: Math.min(seen?.used ?? 0, total - available), available }];
    }),
  );
}
