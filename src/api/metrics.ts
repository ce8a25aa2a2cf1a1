import { Registry } from 'prom-client';
import { BREAKER_MODES } from '../model/modes.ts';
import type { MetricsView } from '../model/reading.ts';
import { baseUnitOf } from '../model/values/units.ts';

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly metricName?: string;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly Sample[];
}

/** The counts as Prometheus text (exposition format 0.0.4): base units, and labels of few values only (never lease or owner). */
export function metricsText(view: MetricsView): Promise<string> {
  const registry = new Registry();
  registry.setDefaultLabels({ pool: view.poolId });
  for (const family of [...gauges(view), ...counters(view), ...histograms(view)])
    registry.registerMetric(metricOf(family));
  return registry.metrics();
}

/** prom-client's own metrics count by themselves; these are counted elsewhere, and it only writes them. */
const metricOf = (family: Family): Parameters<Registry['registerMetric']>[0] =>
  ({ name: family.name, get: async () => ({ ...family, aggregator: 'sum' }) }) as never;

type Values = Readonly<Record<string, number>>;
const one = (value: number): Sample[] => [{ labels: {}, value }];
const by = (label: string, values: Values): Sample[] =>
  Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
const gauge = (name: string, help: string, values: readonly Sample[]): Family => ({
  name,
  help,
  type: 'gauge',
  values,
});
const counter = (name: string, help: string, values: readonly Sample[]): Family => ({
  name,
  help,
  type: 'counter',
  values,
});

/** Amounts say their unit in a label: a dimension may be anything that is counted. */
const amounts = (values: Values): Sample[] =>
  Object.entries(values).map(([dimension, value]) => ({ labels: { dimension, unit: baseUnitOf(dimension) }, value }));

function gauges(view: MetricsView): Family[] {
  const modes = BREAKER_MODES.map((mode) => ({ labels: { mode }, value: mode === view.breaker ? 1 : 0 }));
  return [
    gauge('rpm_pool_revision', 'Revision that these values stand at', one(view.revision)),
    gauge('rpm_pool_capacity', 'Capacity of the machine, in base units', amounts(view.capacity)),
    gauge('rpm_pool_allocated', 'Allocated to leases, in base units', amounts(view.allocated)),
    gauge('rpm_pool_utilization_ratio', 'Allocated over allocatable', by('dimension', view.utilization)),
    gauge('rpm_pool_leases', 'Live leases', one(view.leases)),
    gauge('rpm_pool_pending_requests', 'Requests that wait', one(view.waiting)),
    gauge('rpm_breaker_mode', 'The mode of the circuit breaker is 1, all others 0', modes),
    gauge('rpm_cache_entries', 'Entries of the shape cache', one(view.cache.size)),
    gauge('rpm_log_wal_bytes', "Size of the embedded store's write-ahead log", one(view.walBytes)),
    gauge('rpm_mailbox_commands', 'Commands that wait to be decided', one(view.mailbox.waiting)),
    gauge('rpm_mailbox_limit_commands', 'Commands that may wait to be decided', one(view.mailbox.limit)),
  ];
}

function counters(view: MetricsView): Family[] {
  const { cache, appends } = view;
  const lookups = { hit: cache.hits, miss: cache.misses, bypass: cache.bypasses };
  const troubles = { conflict: appends.conflicts, unknown: appends.unknown, failed: appends.failed };
  return [
    counter('rpm_leases_granted_total', 'Leases granted', by('tier', view.granted)),
    counter('rpm_requests_refused_total', 'Requests refused', by('code', view.refused)),
    counter('rpm_leases_reclaimed_total', 'Leases that ended without release', by('reason', view.reclaimed)),
    counter('rpm_leases_released_total', 'Leases released', one(view.releasedTotal)),
    counter('rpm_leases_renewed_total', 'Renewals', one(view.renewedTotal)),
    counter(
      'rpm_duplicate_releases_total',
      'Releases of leases that were released before',
      one(view.duplicateReleasesTotal),
    ),
    counter('rpm_requests_queued_total', 'Requests that had to wait', one(view.queuedTotal)),
    counter('rpm_requests_cancelled_total', 'Waiting requests that were cancelled', one(view.cancelledTotal)),
    counter('rpm_request_timeouts_total', 'Waiting requests whose wait ended', one(view.requestsExpiredTotal)),
    counter('rpm_cache_lookups_total', 'Look-ups in the shape cache', by('result', lookups)),
    counter('rpm_append_batches_total', 'Batches appended to the event store', one(appends.batches)),
    counter('rpm_append_events_total', 'Events appended to the event store', one(appends.events)),
    counter('rpm_append_troubles_total', 'Appends that did not succeed at once', by('outcome', troubles)),
  ];
}

function histograms(view: MetricsView): Family[] {
  return [
    histogram('rpm_request_wait_time_seconds', 'How long granted requests had waited', view.waitTimeMs),
    histogram('rpm_lease_use_time_seconds', 'How long leases were held', view.useTimeMs),
  ];
}

/** `buckets` count what is at most their bound in ms, each including the ones below, as Prometheus wants it. */
function histogram(name: string, help: string, view: MetricsView['waitTimeMs']): Family {
  const bucket = (le: string, value: number): Sample => ({ metricName: `${name}_bucket`, labels: { le }, value });
  const bounds = Object.entries(view.buckets)
    .map(([bound, value]) => ({ boundMs: Number(bound), value }))
    .filter(({ boundMs }) => Number.isFinite(boundMs))
    .sort((a, b) => a.boundMs - b.boundMs);
  const values = [
    ...bounds.map(({ boundMs, value }) => bucket(String(boundMs / 1000), value)),
    bucket('+Inf', view.count),
    { metricName: `${name}_sum`, labels: {}, value: view.sum / 1000 },
    { metricName: `${name}_count`, labels: {}, value: view.count },
  ];
  return { name, help, type: 'histogram', values };
}
