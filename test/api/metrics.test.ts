import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { MiB, STORES, servePool } from './support/pool.ts';
import { ask } from './support/serve.ts';

const LINE = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/;
const DOCUMENT = new URL('../../docs/metrics.md', import.meta.url);

/** A pool in which everything that is counted has happened. */
async function busyPool(store: (typeof STORES)[number] = 'memory:') {
  const pool = await servePool({ store });
  const { manager } = pool;
  const lease = await manager.allocate({ requirements: { memory: 40 } });
  await manager.renew(lease);
  await manager.submit({ requirements: { memory: 70 }, waitMs: 60_000 }, { detached: true });
  await manager.tryAllocate({ requirements: { memory: 70 } });
  await manager.release(lease);
  await manager.release(lease);
  const short = await manager.allocate({ requirements: { memory: 10 }, ttlMs: 100 });
  await manager.submit({ id: 'cancelled', requirements: { memory: 70 }, waitMs: 60_000 }, { detached: true });
  await manager.cancel('cancelled');
  await manager.submit({ requirements: { memory: 70 }, waitMs: 50 }, { detached: true });
  await expect.poll(async () => (await manager.getMetrics()).requestsExpiredTotal).toBe(1);
  await expect.poll(async () => (await manager.getLease(short.id)).state).toBe('reclaimed');
  await expect.poll(async () => (await manager.getMetrics()).refusedTotal, { timeout: 5_000 }).toBe(1);
  return pool;
}

interface Described {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: Set<string>;
}

/** The families of an exposition, each sample judged on the way. */
function familiesOf(text: string): Map<string, Described> {
  const families = new Map<string, Described>();
  const helps = new Map<string, string>();
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') helps.set(name, rest);
    else if (kind === 'TYPE') families.set(name, { name, type: rest, help: helps.get(name) ?? '', labels: new Set() });
    else takeSample(line, families);
  }
  return families;
}

function takeSample(line: string, families: ReadonlyMap<string, Described>): void {
  const [, name = '', labels = '', value] = LINE.exec(line) ?? [];
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
  if (family === undefined) throw new Error(`${line} has no TYPE`);
  expect(Number.isNaN(Number(value)), line).toBe(false);
  if (family.type === 'counter') expect(name).toMatch(/_total$/);
  expect(labels).toContain('pool="default"');
  for (const [, label] of labels.matchAll(/(\w+)=/g)) family.labels.add(label!);
}

const TEXT = `# Metrics

What \`GET /metrics\` answers, as Prometheus text: base units, seconds, and labels of few values only (never a lease or an
owner). Every metric has the label \`pool\`. \`GET /v1/metrics.json\` gives the same counts as JSON. Refusals are counted from
the audit stream, which may be a second behind. This page is written by \`npm run docs\`; a test fails when it is stale.

| metric | type | labels | what it tells |
|---|---|---|---|
`;

test('metrics are Prometheus text: base units and suffixes, labels of few values, each family documented', async () => {
  const { url } = await busyPool();
  const reply = await ask(url, 'GET', '/metrics');
  expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const families = [...familiesOf(reply.body).values()];
  const known = new Set(['pool', 'tier', 'dimension', 'unit', 'reason', 'code', 'mode', 'result', 'outcome', 'le']);
  for (const { labels } of families) for (const label of labels) expect(known).toContain(label);
  const rows = families.map(({ name, type, help, labels }) => {
    const own = [...labels].filter((label) => label !== 'pool' && label !== 'le').map((label) => `\`${label}\``);
    return `| \`${name}\` | ${type} | ${own.join(', ') || '-'} | ${help} |`;
  });
  const page = `${TEXT}${rows.join('\n')}\n`;
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(DOCUMENT, page);
  expect(await readFile(DOCUMENT, 'utf8')).toBe(page);
});

test.each(STORES)('values are those of the pool, in seconds and base units (%s)', async (store) => {
  const { url } = await busyPool(store);
  const { body } = await ask(url, 'GET', '/metrics');
  const lines = (body as string).split('\n');
  for (const line of [
    'rpm_pool_leases{pool="default"} 1',
    'rpm_pool_pending_requests{pool="default"} 0',
    `rpm_pool_capacity{dimension="memory",unit="bytes",pool="default"} ${100 * MiB}`,
    'rpm_pool_capacity{dimension="cpu",unit="millicores",pool="default"} 4000',
    `rpm_pool_allocated{dimension="memory",unit="bytes",pool="default"} ${70 * MiB}`,
    'rpm_pool_utilization_ratio{dimension="memory",pool="default"} 0.7',
    'rpm_leases_granted_total{tier="all",pool="default"} 3',
    'rpm_leases_released_total{pool="default"} 1',
    'rpm_duplicate_releases_total{pool="default"} 1',
    'rpm_leases_renewed_total{pool="default"} 1',
    'rpm_leases_reclaimed_total{reason="expired",pool="default"} 1',
    'rpm_requests_refused_total{code="EXHAUSTED",pool="default"} 1',
    'rpm_requests_queued_total{pool="default"} 3',
    'rpm_requests_cancelled_total{pool="default"} 1',
    'rpm_request_timeouts_total{pool="default"} 1',
    'rpm_breaker_mode{mode="closed",pool="default"} 1',
    'rpm_breaker_mode{mode="open",pool="default"} 0',
    'rpm_request_wait_time_seconds_count{pool="default"} 3',
    'rpm_request_wait_time_seconds_bucket{le="+Inf",pool="default"} 3',
    'rpm_lease_use_time_seconds_count{pool="default"} 2',
    'rpm_mailbox_limit_commands{pool="default"} 10000',
  ])
    expect(lines, line).toContain(line);
  const seconds = lines.find((line) => line.startsWith('rpm_lease_use_time_seconds_sum'))!;
  expect(Number(seconds.split(' ')[1])).toBeGreaterThanOrEqual(0.1);
  expect(Number(seconds.split(' ')[1])).toBeLessThan(60);
  expect((await ask(url, 'GET', '/v1/metrics.json')).body).toMatchObject({
    leases: 1,
    grantedTotal: 3,
    refusedTotal: 1,
  });
});
