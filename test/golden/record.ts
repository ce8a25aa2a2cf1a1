/**
 * Records a golden log: a manager's day in which every event of today's versions happens, written as an export. Run once for
 * each released version (`npx node test/golden/record.ts`), and committed for ever: old histories are regression tests.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { VERSION } from '../../src/model/version.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { exportLog } from '../../src/transfer/export.ts';
import { world } from '../manager/fixture.ts';

const CONFIG = {
  reserve: '10%',
  resourceTimeoutMs: 60_000,
  leases: { quarantineMs: 1_000, graceMs: 2_000 },
  breaker: { minimumCalls: 1, openMs: 1_000, jitterRatio: 0, halfOpenMs: 1_000, halfOpenProbes: 1 },
  load: { dwellMs: 0 },
  quotas: { bounded: { memory: 8 } },
  tiers: [
    { name: 'critical', priorities: ['critical'], nominal: '20%' },
    { name: 'standard', priorities: ['high', 'normal'], nominal: '50%', borrowingLimit: '10%' },
    { name: 'besteffort', priorities: ['low'], nominal: '30%', lendingLimit: 0 },
  ],
} as const;

const clock = fakeClock();
const memory = new MemoryEventStore();
/** Said to be shared, so that a writer at which a caller waits for long shows itself. */
const store = Object.assign(memory, { traits: { ...memory.traits, shared: true } });
const health = { healthy: true };
const setup = {
  clock,
  store,
  capacity: { memory: 100, cpu: 400 },
  config: CONFIG,
  tuning: { healthIntervalMs: 500, refusalsPerSecond: 5 },
  options: {
    healthMonitor: {
      checkResourceHealth: async () => ({ ...health, at: clock.now(), checks: [{ name: 'disk', ...health }] }),
      reportResourceMetrics: () => undefined,
      alertResourceIssue: () => undefined,
    },
  },
};
const { manager } = world(setup);
await manager.ready();

const held = await manager.allocate({
  id: 'held',
  owner: 'a',
  labels: { odd: '漢\u2028"\\' },
  requirements: { memory: '10Mi', cpu: '250m' },
  ttlMs: 3_600_000,
  idempotencyKey: 'key-1',
});
await manager.allocate({
  id: 'held',
  owner: 'a',
  labels: { odd: '漢\u2028"\\' },
  requirements: { memory: '10Mi', cpu: '250m' },
  ttlMs: 3_600_000,
  idempotencyKey: 'key-1',
});
const borrowing = await manager.allocate({ owner: 'b', priority: 'high', requirements: { memory: 40 } });
await manager.allocate({ owner: 'leaky', priority: 'low', requirements: { memory: 5 }, ttlMs: 1_000 });
await manager.allocate({ owner: 'bounded', priority: 'low', requirements: { memory: 20 }, minimum: { memory: 3 } });
const waits = [
  manager.allocate({ id: 'waits', owner: 'c', requirements: { memory: 30 }, waitMs: 30_000 }),
  manager.allocate({ id: 'gives-up', owner: 'c', requirements: { memory: 31 }, waitMs: 700 }),
  manager.allocate({ id: 'called-off', owner: 'c', requirements: { memory: 32 }, waitMs: 30_000 }),
].map((waiting) => waiting.catch(() => undefined));
await clock.advanceAsync(100);
await manager.cancel('called-off');
for (let i = 0; i < 20; i++) await manager.tryAllocate({ requirements: { memory: i < 2 ? 1_000 : 44 } });
await held.renew();
await clock.advanceAsync(3_000);
await manager.release(borrowing);
const [granted] = await Promise.all(waits);
await manager.revoke(granted!.id, { reason: 'maintenance' });
await clock.advanceAsync(5_000);
health.healthy = false;
await clock.advanceAsync(1_000);
health.healthy = true;
await clock.advanceAsync(3_000);
await manager.allocate({ id: 'probe', requirements: { memory: 1 } }).catch(() => undefined);
await clock.advanceAsync(1_000);
const patient = manager.allocate({ owner: 'c', requirements: { memory: 45 }, waitMs: 15_000 }).catch(() => undefined);
await clock.advanceAsync(16_000);
await patient;
await manager.setBreaker('forcedOpen');
await manager.setBreaker('closed');
await manager.cordon('critical');
await manager.uncordon('critical');
await manager.allocate({ id: 'drained', priority: 'low', requirements: { memory: 1 } });
await manager.drainTier('besteffort', { deadlineMs: 1_000 });
await clock.advanceAsync(2_000);
await manager.uncordon('besteffort');
await manager.configure({ maxPoolSize: 500 });
clock.stall(30_000);
await clock.advanceAsync(1_000);
const drained = manager.drain({ deadlineMs: 500 });
await clock.advanceAsync(1_000);
await drained;
await manager.dispose();
const again = world({ ...setup, options: { ...setup.options, tokenFloor: 1_000 } }).manager;
await again.ready();
await again.dispose();

let text = '';
for await (const part of exportLog(store, 'default')) text += part;
const hashes = new URL('./hashes.json', import.meta.url);
writeFileSync(new URL(`./v${VERSION}.ndjson`, import.meta.url), text);
const pinned = {
  ...JSON.parse(readFileSync(hashes, 'utf8')),
  [VERSION]: JSON.parse(text.trimEnd().split('\n').at(-1)!).record.end.sha256,
};
writeFileSync(hashes, `${JSON.stringify(pinned, null, 2)}\n`);
console.log(
  `${text.split('\n').length - 1} lines, SHA-256 of the file ${createHash('sha256').update(text).digest('hex')}`,
);
