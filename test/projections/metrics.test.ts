import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/projections/histogram.ts';
import { PoolReadings } from '../../src/projections/readings.ts';
import { WrittenLog } from './written-log.ts';

describe('metrics', () => {
  it('count what the events tell', () => {
    const log = new WrittenLog();
    log.grant();
    log.grant('ann', 40);
    log.grant();
    log.renew(1, 2);
    log.add('LeasesRenewed', {
      renewals: [{ leaseId: 'lease-3', ttlMs: 60_000, expiresAt: log.events.at(-1)!.at + 60_000 }],
      cause: 'clockGap',
    });
    for (const id of ['a', 'b', 'c']) log.queue(id);
    log.add('RequestCancelled', { leaseId: 'a', requestId: 'waits-a', reason: 'asked' });
    log.add('RequestExpired', { leaseId: 'b', requestId: 'waits-b' });
    log.later(7_000).release(1);
    log.reclaim(2, 'expired');
    log.reclaim(3, 'revoked');
    const readings = new PoolReadings();
    readings.fold(log.events);
    const { waitTimeMs, useTimeMs, ...counts } = readings.metrics();
    expect(counts).toEqual({
      granted: { main: 3 },
      grantedTotal: 3,
      reclaimed: { expired: 1, revoked: 1 },
      reclaimedTotal: 2,
      releasedTotal: 1,
      renewedTotal: 2,
      queuedTotal: 3,
      cancelledTotal: 1,
      requestsExpiredTotal: 1,
    });
    expect(waitTimeMs).toMatchObject({ count: 3, sum: 40, buckets: { 0: 2, 25: 2, 50: 3, 600000: 3 } });
    expect(useTimeMs).toMatchObject({ count: 3, sum: 21_000, buckets: { 5000: 0, 10000: 3 } });
  });
});

describe('a histogram', () => {
  it('counts in each bucket all up to its bound, inclusive; what is above the last in the count only', () => {
    const histogram = new Histogram([1, 10]);
    for (const ms of [0, 1, 2, 10, 11]) histogram.observe(ms);
    expect(histogram.view()).toEqual({ count: 5, sum: 24, buckets: { 1: 2, 10: 4 } });
  });
});
