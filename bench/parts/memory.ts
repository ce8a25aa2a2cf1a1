/** Bytes of heap and buffers that a live lease and a waiting request take, and what a ready manager, and a server, add to a bare Node's RSS. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { note, tell } from '../measure.ts';
import { scratchFolder } from '../support/scratch.ts';
import { startProcess } from '../support/server-process.ts';

const COUNT = 100_000;
const HEAD = `const used = () => { gc(); gc(); const { heapUsed, external } = process.memoryUsage(); return heapUsed + external; };`;
const index = new URL('../../src/index.ts', import.meta.url).href;
const sqlite = new URL('../../src/eventstore/open.ts', import.meta.url).href;
const openOf = (module: string): string => `
const { createResourceDetector, ResourcePoolManager, DEFAULT_POOL_CONFIG } = await import(${JSON.stringify(module)});
const detector = createResourceDetector({ capacity: { memory: '1Ti', cpu: 6400 } });
const queue = { policy: 'bestEffort', maxLength: 1_000_000, maxWaitMs: 3_600_000, ageingMs: 1_000 };
const config = { ...DEFAULT_POOL_CONFIG, maxPoolSize: 1_000_000, reserve: '0%', enableCircuitBreaker: false,
  overload: { ...DEFAULT_POOL_CONFIG.overload, mailboxLimit: 1_000_000 }, tiers: [{ name: 'all', nominal: '100%', queue }] };`;

const OPEN = openOf(index);

/** A store that keeps nothing in memory: what is measured is the manager. */
const STORE = `
const { openEventStore } = await import(${JSON.stringify(sqlite)});
const folder = (await import('node:fs')).mkdtempSync('/dev/shm/rpm-memory-');
process.on('exit', () => (process.getBuiltinModule('node:fs')).rmSync(folder, { recursive: true }));
const eventStore = await openEventStore('sqlite:' + folder + '/pool.db');
const manager = new ResourcePoolManager(detector, config, { eventStore });
await manager.ready();`;

const run = (script: string): number =>
  Number(
    execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
      encoding: 'utf8',
      maxBuffer: 1 << 20,
    }),
  );

const perLease = run(`${HEAD}${OPEN}${STORE}
const grant = async (count) => { for (let i = 0; i < count; i += 1000)
  for (const lease of await Promise.all(Array.from({ length: 1000 }, () => manager.allocate({ requirements: { memory: 1, cpu: 0 } })))) void lease; };
await grant(10_000);
const before = used(); await grant(${COUNT}); const after = used();
console.log((after - before) / ${COUNT}); process.exit(0);`);
tell({ what: `a live lease, of ${COUNT}`, p50: perLease, unit: 'B', bar: { is: 'at most', value: 400 } });

const perWaiter = run(`${HEAD}${OPEN}${STORE}
await manager.allocate({ requirements: { memory: '1Ti' } });
const wait = async (count) => { for (let i = 0; i < count; i += 500)
  await Promise.all(Array.from({ length: 500 }, () => manager.submit({ requirements: { memory: 1 }, waitMs: 3_600_000 }, { detached: true }))); };
await wait(500);
const before = used(); await wait(5_000); const after = used();
console.log((after - before) / 5_000); process.exit(0);`);
tell({ what: 'a waiter (respond-async), of 5000', p50: perWaiter, unit: 'B', bar: { is: 'at most', value: 600 } });

const rss = (script: string): number =>
  run(`${script}; gc(); console.log(process.memoryUsage.rss() / 1e6); process.exit(0);`);
const bare = rss('0');
const built = new URL('../../dist/index.js', import.meta.url).href;
const ready = rss(`${openOf(built)} const manager = new ResourcePoolManager(detector, config); await manager.ready();`);
tell({
  what: 'RSS of a ready manager over memory:, above a bare Node',
  p50: ready - bare,
  unit: 'MB',
  bar: { is: 'below', value: 20 },
});
for (const store of ['memory:', `sqlite:${join(scratchFolder(), 'pool.db')}`]) {
  const serve = await serving(store);
  tell({
    what: `RSS of poolctl serve --store ${store.split(':')[0]}:, above a bare Node`,
    p50: serve - bare,
    unit: 'MB',
  });
}
note('each in a process of its own; heap and external memory after two forced collections; RSS of the built files');

/** A second after it listens, MB. */
async function serving(store: string): Promise<number> {
  const server = await startProcess(['dist/bin/poolctl.js', 'serve', '--port', '0', '--store', store]);
  await sleep(1_000);
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  await server.stop();
  return (Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1_024) / 1e6;
}
