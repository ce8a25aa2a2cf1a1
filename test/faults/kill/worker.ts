/**
 * A process to be killed: a pool manager over a store with callers of its own. Notes what they are told in a file, and says on
 * stdout where it is. Arguments: the store's URL, the notes' path, the seed, the callers' name, and `--standby` and `--rest=MS`.
 */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { createResourceDetector } from '../../../src/detection/detector.ts';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { ResourcePoolManager } from '../../../src/manager/pool-manager.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { Book, NoteFile, type Phase, readNotes } from './acks.ts';
import { askAgain, type LoadOptions, type Pool, runLoad } from './load.ts';

const [url, notesPath, seed, owner] = process.argv.slice(2) as [string, string, string, string];
const notes = new NoteFile(notesPath);

function enter(phase: Phase): void {
  notes.write({ did: 'phase', phase });
  writeSync(1, `${phase}\n`);
}

/** Says when a snapshot is being written. */
function tellSnapshots(store: EventStore): EventStore {
  const save = store.snapshots.save.bind(store.snapshots);
  store.snapshots.save = (stream, snapshot) => {
    enter('snapshot begun');
    return save(stream, snapshot).then(() => enter('snapshot written'));
  };
  return store;
}

const poolOf = (manager: ResourcePoolManager): Pool => ({
  async allocate({ key, name, memory }) {
    const wanted = { id: name, owner, requirements: { memory }, idempotencyKey: key, waitMs: 20 };
    const lease = await manager.allocate(wanted);
    return { leaseId: lease.id, token: lease.token };
  },
  async renew({ leaseId, token }) {
    await manager.renew({ id: leaseId, token });
  },
  release: ({ leaseId, token }) => manager.release({ id: leaseId, token }),
  async live() {
    const { items } = await manager.listLeases({ state: 'active', owner, limit: 1_000 });
    return items.map(({ id, token }) => ({ leaseId: id, token }));
  },
  async find(leaseId) {
    const { id, token, state } = await manager.getLease(leaseId);
    if (state !== 'active') throw new Error(`lease ${id} is ${state}`);
    return { leaseId: id, token };
  },
});

setInterval(() => {}, 1_000); // when every caller waits for room nothing else keeps it alive
enter('opening');
const store = tellSnapshots(await openEventStore(url, { standby: process.argv.includes('--standby') }));
const manager = new ResourcePoolManager(
  createResourceDetector({ capacity: { memory: 100 } }),
  { overload: { pressureRatio: 1 }, reserve: '0%', tiers: [{ name: 'all', nominal: '100%' }] },
  { eventStore: store, writerId: owner, tuning: { snapshotEvery: 100 } },
);
await manager.ready();
const options: LoadOptions = {
  pool: poolOf(manager),
  note: (ack) => notes.write(ack),
  random: randomSource(Number(seed)),
  prefix: seed,
  callers: 8,
  going: () => true,
  restMs: Number(process.argv.find((word) => word.startsWith('--rest='))?.slice(7) ?? 0),
};
enter('ready');
await askAgain(options, new Book(readNotes(notesPath)));
enter('serving');
flushCompileCache();
await runLoad(options);
