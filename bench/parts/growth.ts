/**
 * What each command costs (decided, folded and taken back, us of this thread's CPU) with 10, 1 000 and 100 000 leases, waiters and owners
 * there, and with 3, 16 and 64 tiers; and for how long at most the long works hold the event loop. `GROWTH=text` in the environment
 * runs what has the text in its name.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { requestView } from '../../src/domain/views.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { createResourceDetector, ResourcePoolManager } from '../../src/index.ts';
import { MAX_CHANGED_QUOTAS } from '../../src/model/config/resolve-config.ts';
import { note, progress, tell } from '../measure.ts';
import { type Turn, TurnMeter } from '../support/turn-meter.ts';
import { evenTiers, largeConfig, UndonePool } from '../support/undone-pool.ts';

const SIZES = [10, 1_000, 100_000];
const TIERS = [3, 16, 64];
/** cpu that is free beside all leases: whoever wants more is refused, or waits. */
const SPARE = 100;
const asked = process.env['GROWTH'] ?? '';

/** Prepares, and gives what is measured. */
type Prepare = (pool: UndonePool) => () => unknown;

const queued = (pool: UndonePool) => pool.request(SPARE + 1, { waitMs: 60_000, detached: true });
const release = (pool: UndonePool, n: number) => {
  const { leaseId, token } = pool.nth(n);
  return () => pool.decide('Release', { leaseId, token, cause: 'holder' });
};
const configure =
  (patch: object): Prepare =>
  (pool) => {
    const config = { ...pool.state.config, ...patch };
    return () => pool.decide('Configure', { config, hash: 'other', source: 'start', expectedRevision: null });
  };
const observe =
  (capacity: object): Prepare =>
  (pool) =>
  () =>
    pool.decide('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { ...pool.capacity, ...capacity } });

/** What there is of every kind of command. */
const COMMANDS: Readonly<Record<string, Prepare>> = {
  'allocate, granted': (pool) => () => pool.decide('Allocate', { request: pool.request(1) }),
  'allocate, EXHAUSTED': (pool) => () => pool.decide('Allocate', { request: pool.request(SPARE + 1) }),
  'allocate, EXHAUSTED, after the soonest lease ended': (pool) => {
    const end = release(pool, 0);
    return () => [end(), pool.decide('Allocate', { request: pool.request(SPARE + 2) })];
  },
  'allocate, queued and shown (respond-async)': (pool) => () => {
    const { answer } = pool.decide('Allocate', { request: queued(pool) });
    if (answer.kind === 'queued') requestView(pool.state, answer.request);
  },
  'allocate, queued, and cancelled': (pool) => () => {
    const request = queued(pool);
    pool.decide('Allocate', { request });
    pool.decide('Cancel', { requestId: request.id });
  },
  'allocate, repeated by its key': (pool) => {
    const request = pool.request(1, { idempotencyKey: 'k' });
    pool.run('Allocate', { request }, 'k');
    return () => pool.decide('Allocate', { request }, 'k');
  },
  release: (pool) => release(pool, 5),
  renew: (pool) => {
    const { leaseId, token } = pool.nth(5);
    return () => pool.decide('Renew', { leaseId, token, ttlMs: 500_000 });
  },
  'revoke, with grace': (pool) => {
    const { leaseId } = pool.nth(5);
    return () => pool.decide('Revoke', { leaseId, reason: null, graceMs: 1_000 });
  },
  'reclaim one that expired': (pool) => {
    const { leaseId, expiresAt } = pool.nth(5);
    return () => pool.decide('ReclaimExpired', { leases: [{ leaseId, expiresAt }] });
  },
  'cordon a tier': (pool) => () => pool.decide('CordonTier', { tier: 't1' }),
  'begin to drain a tier': (pool) => () => pool.decide('DrainTier', { tier: 't2', deadlineMs: 1_000 }),
  sweep: (pool) => () => pool.decide('Sweep', {}),
  'capacity rises': observe({ memory: 2 ** 51 }),
  'capacity falls below what is held': observe({ cpu: 5 }),
  'configure, a number': configure({ cleanupIntervalMs: 29_999 }),
  'configure, a quota of who holds all': configure({ quotas: { default: { cpu: '100%' } } }),
  'health changes': (pool) => () => pool.decide('ObserveHealth', { healthy: false, failing: ['x'] }),
  'a breaker opens': (pool) => () =>
    pool.decide('TriggerBreaker', { trigger: 'force.open', generation: null, draw: 0.5 }),
};

/** Of what grows by its nature each part is measured: the rest follows in parts, others in between. */
const PARTS: Readonly<Record<string, Prepare>> = {
  'deadline of a drain, a part': (pool) => {
    const drained = pool.decide('DrainTier', { tier: 't0', deadlineMs: 0 });
    const { deadlineAt } = pool.state.tiers[0]!;
    pool.undo();
    return () =>
      drained.answer.kind === 'done' && [
        pool.decide('DrainTier', { tier: 't0', deadlineMs: 0 }),
        pool.decide('EndTierDrain', { tier: 't0', deadlineAt: deadlineAt! }),
      ];
  },
  'a clock gap, a part': (pool) => () => pool.decide('ObserveClockGap', { gapMs: 5_000, afterToken: 0 }),
};

const OF_WAITERS: Readonly<Record<string, Prepare>> = {
  'a release that lets one in': (pool) => release(pool, 0),
  'a waiter in the midst is cancelled': (pool) => {
    const all = [...pool.state.waiting.values()];
    const { request } = all[all.length >> 1]!;
    return () => pool.decide('Cancel', { requestId: request.id });
  },
  'a waiter in the midst is shown': (pool) => {
    const all = [...pool.state.waiting.values()];
    return () => requestView(pool.state, all[all.length >> 1]!);
  },
  'a waiter expires': (pool) => {
    const [first] = pool.state.waiting.keys();
    return () => pool.decide('ExpireRequests', { leaseIds: [first!] });
  },
  'callers gone, of 10': (pool) => {
    const leaseIds = [...pool.state.waiting.keys()].slice(0, 10);
    return () => pool.decide('CancelOrphans', { leaseIds, reason: 'writerGone' });
  },
};

const WAITERS_PARTS: Readonly<Record<string, Prepare>> = {
  'the pool drains, a part': (pool) => () => pool.decide('DrainPool', { deadlineMs: null }),
  'configure, another ageing': (pool) => {
    const tiers = pool.state.config.tiers.map((tier) => ({ ...tier, queue: { ...tier.queue, ageingMs: 999 } }));
    return configure({ tiers })(pool);
  },
};

const leasesOf = (count: number): UndonePool => {
  const pool = new UndonePool(largeConfig({ tiers: evenTiers(3) }), count + SPARE);
  pool.fill(count);
  return pool;
};
const waitersOf = (count: number): UndonePool => {
  const pool = new UndonePool(largeConfig({ tiers: evenTiers(3) }), 10 + SPARE);
  pool.fill(10);
  pool.run('Allocate', { request: pool.request(SPARE) });
  pool.queue(count, 1);
  return pool;
};
const ownersOf = (count: number): UndonePool => {
  const quotas = Object.fromEntries(Array.from({ length: count }, (_, i) => [`owner-${i}`, { cpu: 100 }]));
  const pool = new UndonePool(largeConfig({ tiers: evenTiers(3), quotas }), count + SPARE);
  pool.fill(count, (i) => ({ owner: `owner-${i}` }));
  return pool;
};
/** 127 who wait stand in all of them, for more than there is. */
const tiersOf = (count: number): UndonePool => {
  const pool = new UndonePool(largeConfig({ tiers: evenTiers(count) }), 64_000);
  pool.fill(1_000);
  pool.queue(127, 63_500);
  return pool;
};

function compare(of: string, sizes: readonly number[], make: (size: number) => UndonePool, commands: object): void {
  const chosen = Object.entries(commands as Record<string, Prepare>).filter(([what]) =>
    `${of}: ${what}`.includes(asked),
  );
  if (chosen.length === 0) return;
  for (const size of sizes) {
    const pool = make(size);
    for (const [what, prepare] of chosen) {
      try {
        tell({ what: `${size} ${of}: ${what}`, p50: pool.measure(prepare(pool)), unit: 'us' });
      } catch (error) {
        note(`${size} ${of}: ${what}: ${error}`);
      }
      pool.undo();
    }
    steps += 1;
    progress(steps, 16);
  }
}

let steps = 0;
compare('leases', SIZES, leasesOf, { ...COMMANDS, ...PARTS });
compare('waiters', SIZES, waitersOf, { ...COMMANDS, ...OF_WAITERS, ...WAITERS_PARTS });
compare('owners', SIZES, ownersOf, COMMANDS);
compare('tiers', TIERS, tiersOf, { ...COMMANDS, ...OF_WAITERS });

const CAPACITY = { memory: '1Ti', cpu: 10_000_000 };
const BIG = {
  maxPoolSize: 1_000_000,
  enableCircuitBreaker: false,
  cleanupIntervalMs: 3_600_000,
  reserve: '0%',
  overload: { mailboxLimit: 1_000_000 },
  tiers: [{ ...evenTiers(1)[0]!, name: 'all', nominal: '100%' }],
} as const;
type Options = ConstructorParameters<typeof ResourcePoolManager>[2];

async function manager(options: Options = {}, patch: object = {}): Promise<ResourcePoolManager> {
  const made = new ResourcePoolManager(
    createResourceDetector({ capacity: CAPACITY }),
    largeConfig({ ...BIG, ...patch }),
    options,
  );
  await made.ready();
  return made;
}

async function grant(pool: ResourcePoolManager, count: number, ttlMs = 3_600_000): Promise<void> {
  for (let i = 0; i < count; i += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, () => pool.allocate({ requirements: { memory: 1 }, ttlMs })));
}

/** Requests of which nobody can be granted; all of them wait when it ends. */
async function wait(pool: ResourcePoolManager, count: number): Promise<void> {
  await pool.allocate({ requirements: { memory: '1Ti' }, ttlMs: 3_600_000 });
  await until(pool, 'RequestQueued', count, async () => {
    for (let i = 0; i < count; i += 1_000) {
      for (let j = 0; j < 1_000; j++)
        pool.allocate({ requirements: { memory: 1 }, waitMs: 3_600_000 }).catch(() => undefined);
      await sleep(1);
    }
  });
}

function begun(): TurnMeter {
  const meter = new TurnMeter();
  meter.begin();
  return meter;
}

async function ended(meter: TurnMeter): Promise<Turn> {
  await sleep(20); // the last turn ends
  const longest = await meter.longest();
  meter.end();
  return longest;
}

/** Everything that the loop is held for while `act` runs and until `count` events of the type are committed. */
async function until(pool: ResourcePoolManager, type: string, count: number, act: () => unknown): Promise<Turn> {
  let seen = 0;
  const done = Promise.withResolvers<void>();
  const subscription = pool.committed$.subscribe((event) => {
    if (event.type === type && ++seen === count) done.resolve();
  });
  const turns = begun();
  await Promise.all([done.promise, act()]);
  subscription.unsubscribe();
  return ended(turns);
}

/** `act` with a manager in which `prepare` has been done. */
const work =
  (prepare: (pool: ResourcePoolManager) => unknown, act: (pool: ResourcePoolManager) => Promise<Turn>, patch = {}) =>
  async (): Promise<Turn> => {
    const pool = await manager({}, patch);
    await prepare(pool);
    const held = await act(pool);
    await pool.dispose();
    return held;
  };
const during = async (act: () => unknown): Promise<Turn> => {
  const turns = begun();
  await act();
  return ended(turns);
};

const MANY = 100_000;
const leases = (pool: ResourcePoolManager) => grant(pool, MANY);
const waiters = (pool: ResourcePoolManager) => wait(pool, MANY);
const QUEUE = { policy: 'bestEffort', maxLength: 1_000_000, maxWaitMs: 3_600_000, ageingMs: 1_000 } as const;
const TIER = { ...evenTiers(1)[0]!, name: 'all', nominal: '100%', queue: QUEUE };
const TWO = {
  tiers: [
    { ...TIER, nominal: '50%' },
    { ...TIER, name: 'other', nominal: '50%' },
  ],
};
const QUOTAS = Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`owner-${i}`, { cpu: 100 }]));
const AS_MANY_QUOTAS = Object.fromEntries(Object.entries(QUOTAS).slice(0, MAX_CHANGED_QUOTAS));
const ageing = { tiers: [{ ...TIER, queue: { ...QUEUE, ageingMs: 999 } }] };

const WORKS: Readonly<Record<string, () => Promise<Turn>>> = {
  'drain of a tier with 100 000 leases at its deadline': work(leases, (pool) =>
    until(pool, 'LeaseReclaimed', MANY, () => pool.drainTier('all', { deadlineMs: 1 })),
  ),
  '1 000 leases renewed at once, of 100 000': work(leases, async (pool) => {
    const all = (await pool.listLeases({ limit: 1_000 })).items;
    return until(pool, 'LeasesRenewed', all.length, async () => {
      const renewals: Promise<unknown>[] = [];
      for (const { id, token } of all) {
        renewals.push(pool.renewLease(id, token, 3_600_000));
        if (renewals.length % 50 === 0) await setImmediate(); // to ask a thousand times is the caller's turn
      }
      await Promise.all(renewals);
    });
  }),
  '10 000 leases that expire at once': work(
    (pool) => grant(pool, 10_000, 3_000),
    (pool) => until(pool, 'LeaseReclaimed', 10_000, () => undefined),
  ),
  'a release that lets 100 000 waiters in': work(waiters, async (pool) => {
    const [all] = (await pool.listLeases()).items;
    return until(pool, 'LeaseGranted', MANY, () => pool.releaseLease(all!.id, all!.token));
  }),
  'taking over after a writer with 100 000 waiters, from its first event': async () => {
    const eventStore = new MemoryEventStore();
    const first = await manager({ eventStore, writerId: 'w' });
    await wait(first, MANY);
    const second = new ResourcePoolManager(createResourceDetector({ capacity: CAPACITY }), largeConfig(BIG), {
      eventStore,
      writerId: 'w',
    });
    let turns: TurnMeter | undefined;
    await until(second, 'RequestCancelled', MANY, () => {
      second.committed$.subscribe(() => {
        turns ??= begun();
      });
    });
    return ended(turns!);
  },
  [`configure with quotas of ${MAX_CHANGED_QUOTAS} owners, as many as may be`]: work(
    () => undefined,
    (pool) => during(() => pool.configure({ quotas: AS_MANY_QUOTAS })),
  ),
  'configure a number, with quotas of 100 000 owners': work(
    () => undefined,
    (pool) => during(() => pool.configure({ cleanupIntervalMs: 3_599_999 })),
    { quotas: QUOTAS },
  ),
  'configure another ageing, with 100 000 waiters': work(waiters, (pool) => during(() => pool.configure(ageing))),
  'configure a tier away, with 100 000 waiters': work(
    waiters,
    (pool) => during(() => pool.configure({ tiers: [TIER] })),
    TWO,
  ),
  'cordon and open a tier, with 100 000 waiters': work(waiters, (pool) =>
    during(async () => {
      await pool.cordonTier('all');
      await pool.uncordonTier('all');
    }),
  ),
  'drain of a tier, with 100 000 waiters': work(waiters, (pool) =>
    until(pool, 'RequestCancelled', MANY, () => pool.drainTier('all', { deadlineMs: 3_600_000 })),
  ),
  'a breaker forced open, with 100 000 waiters': work(waiters, (pool) => during(() => pool.setBreaker('forcedOpen'))),
  'sweeps and the watch of writers for 3 s, with 100 000 waiters': work(waiters, () => during(() => sleep(3_500)), {
    cleanupIntervalMs: 1_000,
  }),
  'the first page of 100 000 ended leases': work(
    async (pool) => {
      await leases(pool);
      await until(pool, 'LeaseReclaimed', MANY, () => pool.drainTier('all', { deadlineMs: 1 }));
    },
    (pool) => during(() => pool.listLeases({ state: 'reclaimed' })),
  ),
  'dispose with 100 000 waiters': async () => {
    const pool = await manager();
    await waiters(pool);
    return during(() => pool.dispose());
  },
};

const keptAlive = setInterval(() => {}, 1_000); // a manager's own timers keep no process alive
for (const [what, work] of Object.entries(WORKS)) {
  const name = `the loop is held: ${what}`;
  if (!name.includes(asked)) continue;
  const { tookMs, gcMs } = await work();
  tell({ what: name, p50: tookMs, unit: 'ms', bar: { is: 'at most', value: 10 } });
  note(`  of it garbage collection ${gcMs.toFixed(1)} ms`);
}
clearInterval(keptAlive);
note('us and ms of CPU of the thread; garbage collections within it count');
process.exit(0);
