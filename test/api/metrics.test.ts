import { expect, test } from 'vitest';
import { ask, serve } from './support/serve.ts';
import { smallService } from './support/small-service.ts';

const LINE = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/;

test('metrics are Prometheus text: base units and suffixes, each family described, labels of few values', async () => {
  const { url } = await serve(smallService());
  const reply = await ask(url, 'GET', '/metrics');
  expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = (reply.body as string).split('\n').filter((line) => line !== '');
  const types = new Map<string, string>();
  for (const line of lines) {
    const described = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (described !== null) types.set(described[1]!, described[2]!);
    if (line.startsWith('#')) continue;
    const [, name = '', labels = '', value] = LINE.exec(line) ?? [];
    const family = name.replace(/_(bucket|sum|count)$/, '');
    const type = types.get(name) ?? types.get(family);
    expect(type, line).toBeDefined();
    expect(Number.isNaN(Number(value)), line).toBe(false);
    if (type === 'counter') expect(name).toMatch(/_total$/);
    expect(labels).toContain('pool="default"');
    expect(labels).not.toMatch(/lease|owner|request/);
  }
});

test('values are those of the pool, in seconds and base units', async () => {
  const { url } = await serve(smallService());
  const { body } = await ask(url, 'GET', '/metrics');
  for (const line of [
    'rpm_pool_leases{pool="default"} 1',
    'rpm_pool_pending_requests{pool="default"} 2',
    'rpm_pool_capacity{dimension="memory",unit="bytes",pool="default"} 100',
    'rpm_leases_granted_total{tier="standard",pool="default"} 4',
    'rpm_requests_refused_total{code="EXHAUSTED",pool="default"} 5',
    'rpm_leases_reclaimed_total{reason="expired",pool="default"} 1',
    'rpm_breaker_mode{mode="closed",pool="default"} 1',
    'rpm_breaker_mode{mode="open",pool="default"} 0',
    'rpm_cache_lookups_total{result="hit",pool="default"} 5',
    'rpm_request_wait_time_seconds_bucket{le="0.1",pool="default"} 1',
    'rpm_request_wait_time_seconds_bucket{le="1",pool="default"} 2',
    'rpm_request_wait_time_seconds_bucket{le="+Inf",pool="default"} 3',
    'rpm_request_wait_time_seconds_sum{pool="default"} 4.5',
    'rpm_request_wait_time_seconds_count{pool="default"} 3',
  ])
    expect((body as string).split('\n')).toContain(line);
});
