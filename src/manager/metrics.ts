import type { Core } from './core.ts';
import type { MetricsView } from './service.ts';

/** Everything that is counted: what the log tells, and what this process knows besides. */
export function metricsOf(core: Core): MetricsView {
  const { readings, cache, poolId } = core.options;
  const state = readings.state;
  const { audit } = readings;
  const { allocated, allocatable, dimensions, capacity } = state;
  const held = Object.fromEntries(dimensions.map((name) => [name, allocated.of(name)]));
  const ratio = (name: string): number =>
    (allocatable[name] ?? 0) === 0 ? 0 : allocated.of(name) / allocatable[name]!;
  return {
    ...readings.metrics(),
    poolId,
    at: core.options.clock.now(),
    revision: state.revision,
    capacity,
    allocated: held,
    utilization: Object.fromEntries(dimensions.map((name) => [name, ratio(name)])),
    leases: state.leases.size,
    waiting: state.waiting.size,
    refused: audit.refusedByCode(),
    refusedTotal: audit.refusedTotal,
    breaker: core.gate.mode,
    cacheHitRatio: cache.hitRatio,
    cache: cache.counters,
    duplicateReleasesTotal: core.duplicateReleases,
    appends: { ...core.engine.counters },
    walBytes: core.options.store.condition?.walBytes ?? 0,
    mailbox: { waiting: core.engine.waiting, limit: state.config.overload.mailboxLimit },
  };
}
