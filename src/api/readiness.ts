import type { PoolService, ReadyStatus } from '../manager/service.ts';
import { type ErrorCode, PoolError } from '../model/errors.ts';

const CODE_OF_STATE: Readonly<Record<ReadyStatus['state'], ErrorCode>> = {
  serving: 'OVERLOADED',
  recovering: 'LOG_UNAVAILABLE',
  standby: 'LOG_UNAVAILABLE',
  logUnavailable: 'LOG_UNAVAILABLE',
  draining: 'DRAINING',
  closed: 'DRAINING',
};

/** Why the pool is not ready, as callers are told. */
export function notReady({ state, checks }: ReadyStatus): PoolError {
  const failing = checks.filter((check) => !check.ok).map((check) => `${check.name}: ${check.message ?? 'failed'}`);
  return new PoolError(CODE_OF_STATE[state], [`the pool is ${state}`, ...failing].join('; '), {
    details: { retryAfterMs: 1_000 },
  });
}

/**
 * Callers are not kept waiting for a pool that recovers or stands by: nobody knows for how long. Once it has served, what
 * it cannot do now it says itself.
 */
export function untilServing(service: PoolService): () => PoolError | undefined {
  let served = false;
  service.ready().then(
    () => {
      served = true;
    },
    () => {},
  );
  return () => (served ? undefined : refusalBefore(service));
}

function refusalBefore(service: PoolService): PoolError | undefined {
  const status = service.status();
  return status.state === 'recovering' || status.state === 'standby' ? notReady(status) : undefined;
}
