import type { PoolService } from '../../../src/manager/service.ts';
import { DEFAULT_POOL_CONFIG } from '../../../src/model/config.ts';
import { invalid, PoolError } from '../../../src/model/errors.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../../../src/model/events.ts';
import type { MetricsView, StreamItem } from '../../../src/model/reading.ts';
import { parseRequest } from '../../../src/model/request.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../../../src/model/views.ts';

/**
 * A service that answers by rote, for what is the door's own business: parsing, limits, errors, streams. Whatever needs
 * a pool is tested with the real manager.
 */
export const LEASE: LeaseView = {
  id: 'lease-1',
  requestId: 'task-1',
  token: 7,
  tier: 'standard',
  owner: 'anonymous',
  priority: 'normal',
  type: 'memory',
  requirements: { memory: '1.5Gi', cpu: 10 },
  amounts: { memory: 1_610_612_736, cpu: 100 },
  borrowed: { memory: 1_024 },
  labels: { team: 'a' },
  grantedAt: 1_700_000_000_000,
  ttlMs: 300_000,
  expiresAt: 1_700_000_300_000,
  renewAfterMs: 100_000,
  state: 'active',
  noticeEndsAt: null,
  endedAt: null,
  reason: null,
  revision: 12,
};

export const REQUEST: RequestView = {
  requestId: 'task-2',
  leaseId: 'lease-2',
  tier: 'standard',
  owner: 'anonymous',
  priority: 'normal',
  requirements: { memory: 10 },
  amounts: { memory: 10_485_760 },
  state: 'waiting',
  queuedAt: 1_700_000_000_000,
  expiresAt: 1_700_000_300_000,
  position: 3,
  shortfall: { memory: 5 },
  estimatedStartMs: null,
};

export const TIER: TierView = {
  name: 'standard',
  admission: 'open',
  load: 'normal',
  nominal: { memory: 10 },
  allocated: { memory: 5 },
  quarantined: { memory: 1 },
  borrowed: { memory: 0 },
  lent: { memory: 0 },
  free: { memory: 4 },
  waiting: 2,
};

export const POOL: PoolView = {
  poolId: 'default',
  revision: 12,
  at: 1_700_000_000_000,
  hostId: 'host',
  capacity: { memory: 100 },
  allocatable: { memory: 95 },
  allocated: { memory: 5 },
  tiers: [TIER],
  breaker: { mode: 'closed', until: null },
  queue: { waiting: 2 },
  leases: 1,
  utilization: { memory: 0.0526 },
  draining: false,
  configRevision: 2,
};

const times = { count: 3, sum: 4_500, buckets: { '100': 1, '1000': 2 } };
export const METRICS: MetricsView = {
  at: 1_700_000_000_000,
  revision: 12,
  capacity: { memory: 100, cpu: 200 },
  allocated: { memory: 5, cpu: 0 },
  utilization: { memory: 0.05, cpu: 0 },
  leases: 1,
  waiting: 2,
  grantedTotal: 4,
  refusedTotal: 5,
  reclaimedTotal: 1,
  breaker: 'closed',
  cacheHitRatio: 0.5,
  poolId: 'default',
  granted: { standard: 4 },
  refused: { EXHAUSTED: 5 },
  reclaimed: { expired: 1 },
  releasedTotal: 2,
  renewedTotal: 6,
  duplicateReleasesTotal: 0,
  queuedTotal: 3,
  cancelledTotal: 1,
  requestsExpiredTotal: 1,
  waitTimeMs: times,
  useTimeMs: times,
  cache: { hits: 5, misses: 4, bypasses: 1, size: 2 },
  appends: { batches: 7, events: 20, conflicts: 0, unknown: 0, failed: 0 },
  mailbox: { waiting: 0, limit: 10_000 },
};

export function eventAt(revision: number, note = ''): RecordedPoolEvent {
  return {
    id: `00000000-0000-8000-8000-${String(revision).padStart(12, '0')}`,
    type: 'LeaseReleased',
    schemaVersion: 1,
    at: 1_700_000_000_000 + revision,
    data: { leaseId: `lease-${revision}${note}`, token: revision + 1, cause: 'holder' },
    metadata: { correlationId: 'c', causationId: 'd', actor: 'test' },
    stream: 'pool-default',
    revision,
  };
}

const absent = (what: string): never => {
  throw new PoolError('NOT_FOUND', `there is no ${what}`);
};

async function* emptyLog(): AsyncIterable<StreamItem<never>> {
  yield { caughtUp: true };
}

export function smallService(own: Partial<PoolService> = {}): PoolService {
  return {
    poolId: 'default',
    ready: async () => {},
    status: () => ({ ready: true, state: 'serving', checks: [{ name: 'log', ok: true }] }),
    submit: async (request) => {
      const errors: Parameters<typeof invalid>[0][number][] = [];
      parseRequest(request, 'made', errors);
      if (errors.length > 0) throw invalid(errors);
      return { kind: 'granted', lease: LEASE, replayed: false };
    },
    releaseLease: async () => ({ lease: LEASE, replayed: false }),
    renewLease: async () => ({ lease: LEASE, replayed: false }),
    revokeLease: async () => ({ lease: LEASE, replayed: false }),
    cancelRequest: async () => REQUEST,
    cordonTier: async () => TIER,
    uncordonTier: async () => TIER,
    drainTier: async () => TIER,
    setBreaker: async (mode) => ({ mode, until: null }),
    getConfig: async () => ({ config: DEFAULT_POOL_CONFIG, hash: 'h', revision: 2 }),
    patchConfig: async () => ({ config: DEFAULT_POOL_CONFIG, hash: 'h', revision: 3 }),
    getPool: async () => POOL,
    getLease: async (id) => (id === LEASE.id ? LEASE : absent(`lease ${id}`)),
    listLeases: async () => ({ items: [LEASE], next: null }),
    getRequest: async () => REQUEST,
    listRequests: async () => [REQUEST],
    getUtilization: async () => ({
      revision: 12,
      at: 5,
      now: { memory: 0.05 },
      tiers: { standard: { memory: 0.5 } },
      series: [],
    }),
    getMetrics: async () => METRICS,
    pageEvents: async () => ({ items: [eventAt(0), eventAt(1)], next: null }),
    pageRefusals: async (): Promise<{ items: RecordedAuditEvent[]; next: null }> => ({ items: [], next: null }),
    followEvents: emptyLog,
    followRefusals: emptyLog,
    dispose: async () => {},
    ...own,
  };
}
