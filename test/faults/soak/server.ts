/** A pool served from a process of its own that tells, when it is asked over IPC, what it holds. Argument: its settings as JSON. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startServer } from '../../../src/api/server.ts';
import { createResourceDetector } from '../../../src/detection/detector.ts';
import { ResourcePoolManager } from '../../../src/manager/pool-manager.ts';
import type { Health, ServerSettings } from './served.ts';

const settings = JSON.parse(process.argv[2]!) as ServerSettings;
const queue = { policy: 'bestEffort' as const, maxLength: settings.queueLength, maxWaitMs: 60_000, ageingMs: 1_000 };
const manager = new ResourcePoolManager(
  createResourceDetector({ capacity: { memory: settings.memory } }),
  {
    overload: { pressureRatio: 1, mailboxLimit: settings.mailboxLimit },
    reserve: '0%',
    idempotency: { maxEntries: 1_000 },
    tiers: [{ name: 'all', nominal: '100%', queue }],
  },
  { eventStore: settings.store },
);
const server = await startServer(manager, { port: 0 });
await manager.ready();
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

function health(): Health {
  globalThis.gc!();
  globalThis.gc!();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  const delayMs = { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
  return { heapUsedBytes: process.memoryUsage().heapUsed, resources, listeners, delayMs };
}

process.on('message', async (asked: 'health' | 'stop') => {
  if (asked === 'health') {
    const answer = health();
    delay.reset(); // what the collection took is not the service's
    process.send!(answer);
    return;
  }
  const closed = server.close();
  await manager.dispose();
  await closed;
  process.exit(0);
});
process.send!({ url: server.url });
