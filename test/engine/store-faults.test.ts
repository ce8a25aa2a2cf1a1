import { describe, expect, test } from 'vitest';
import { checkLog } from '../../src/testing/check-log.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { history, rejection, typesOf, world } from '../manager/fixture.ts';
import { RecordingStore } from './recording-store.ts';

const UNKNOWN = { patienceMs: 1_000, giveUpMs: 30_000, closeMs: 1_000 };

async function started(setup: Parameters<typeof world>[0] = {}) {
  const clock = setup.clock ?? fakeClock();
  const store = new RecordingStore(clock);
  const fixture = world({ ...setup, clock, store, tuning: { unknown: UNKNOWN, ...setup.tuning } });
  await fixture.manager.ready();
  store.tried.length = 0;
  return { ...fixture, store };
}

const grants = async (store: RecordingStore) =>
  (await history(store)).filter((event) => event.type === 'LeaseGranted').length;

describe('one append in flight', () => {
  test('what waits behind it becomes one batch', async () => {
    const { manager, store, clock } = await started();
    store.next('held');
    const all = Array.from({ length: 10 }, () => manager.allocate({ requirements: { memory: 1 } }));
    await clock.advanceAsync(0);
    const more = Array.from({ length: 20 }, () => manager.allocate({ requirements: { memory: 1 } }));
    store.go();
    await Promise.all([...all, ...more]);
    expect(store.tried.map(({ ids }) => ids.length)).toEqual([10, 20]);
    await manager.dispose();
  });

  test('nobody sees what is not committed', async () => {
    const { manager, store, clock } = await started();
    const seen: string[] = [];
    manager.committed$.subscribe((event) => seen.push(event.type));
    store.next('held');
    const asked = manager.allocate({ requirements: { memory: 1 } });
    await clock.advanceAsync(0);
    expect((await manager.getPool()).leases).toBe(0);
    expect((await manager.listLeases()).items).toEqual([]);
    expect(seen).toEqual([]);
    store.go();
    await asked;
    expect((await manager.getPool()).leases).toBe(1);
    expect(seen).toEqual(['LeaseGranted']);
    await manager.dispose();
  });
});

describe('an append whose outcome is unknown', () => {
  test.each(['timeoutApplied', 'timeoutNotApplied'] as const)(
    '(%s) is tried again, identical, at the identical revision, and grants once',
    async (step) => {
      const { manager, store, clock } = await started();
      store.next(step, step, 'ok');
      const asked = manager.allocate({ requirements: { memory: 1 } });
      await clock.advanceAsync(900);
      expect((await asked).token).toBe(1);
      expect(new Set(store.tried.map(({ ids, expected }) => `${ids.join()}@${expected}`)).size).toBe(1);
      expect(await grants(store)).toBe(1);
      await manager.dispose();
    },
  );

  test('refuses newcomers meanwhile: nothing was done for them', async () => {
    const { manager, store, clock } = await started();
    store.next('timeoutNotApplied', 'timeoutNotApplied', 'timeoutNotApplied');
    const asked = manager.allocate({ requirements: { memory: 1 } });
    await clock.advanceAsync(0);
    expect(await rejection(manager.allocate({ requirements: { memory: 1 } }))).toMatchObject({
      code: 'LOG_UNAVAILABLE',
    });
    expect(manager.status()).toMatchObject({ ready: false, state: 'logUnavailable' });
    await clock.advanceAsync(900);
    expect((await asked).token).toBe(1);
    expect(manager.status()).toMatchObject({ ready: true, state: 'serving' });
    await manager.dispose();
  });

  test('that another writer beat is decided anew on what that one wrote', async () => {
    const { manager, store, clock } = await started({ capacity: { memory: 10 } });
    const other = world({ store: store.inner, options: { writerId: 'writer-2' }, capacity: { memory: 10 } });
    await other.manager.ready();
    await clock.advanceAsync(50);
    store.tried.length = 0;
    store.next('timeoutNotApplied');
    const asked = rejection(manager.allocate({ requirements: { memory: 10 } }));
    await clock.advanceAsync(0);
    await other.manager.allocate({ requirements: { memory: 10 } });
    await clock.advanceAsync(900);
    expect((await asked).code).toBe('EXHAUSTED');
    expect(await grants(store)).toBe(1);
    await Promise.all([manager.dispose(), other.manager.dispose(), clock.advanceAsync(100)]);
  });

  test('tells its callers OUTCOME_UNKNOWN when their patience ends, and gives back what turns out granted', async () => {
    const { manager, store, clock } = await started();
    store.next(...Array<'timeoutApplied'>(20).fill('timeoutApplied'));
    const keyless = rejection(manager.allocate({ id: 'keyless', requirements: { memory: 1 } }));
    const keyed = { id: 'keyed', requirements: { memory: 1 }, idempotencyKey: 'k' };
    const first = rejection(manager.allocate(keyed));
    await clock.advanceAsync(1_100);
    expect([(await keyless).code, (await first).code]).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN']);
    await clock.advanceAsync(29_000);
    const { items } = await manager.listLeases({ state: 'active' });
    expect(items.map((lease) => lease.requestId)).toEqual(['keyed']);
    expect(await manager.allocate(keyed)).toMatchObject({ requestId: 'keyed' });
    expect(await grants(store)).toBe(2);
    await manager.dispose();
  });

  test('is given up with a barrier at the same revision', async () => {
    const { manager, store, clock } = await started({
      config: { enableCircuitBreaker: false },
      tuning: { unknown: { ...UNKNOWN, giveUpMs: 1_500 } },
    });
    store.next(...Array<'timeoutNotApplied'>(12).fill('timeoutNotApplied'));
    const asked = rejection(manager.allocate({ requirements: { memory: 1 } }));
    await clock.advanceAsync(20_000);
    expect((await asked).code).toBe('OUTCOME_UNKNOWN');
    const barrier = store.tried.find(({ types, step }) => types[0] === 'WriterStarted' && step === 'ok');
    expect(barrier?.expected).toBe(store.tried[0]?.expected);
    expect(await grants(store)).toBe(0);
    expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBe(1);
    await manager.dispose();
  });

  test('does not keep a manager from closing', async () => {
    const { manager, store, clock } = await started();
    store.next(...Array<'timeoutNotApplied'>(500).fill('timeoutNotApplied'));
    const asked = rejection(manager.allocate({ requirements: { memory: 1 } }));
    await clock.advanceAsync(10);
    const disposed = manager.dispose();
    await clock.advanceAsync(60_000);
    await disposed;
    expect((await asked).code).toBe('OUTCOME_UNKNOWN');
  });
});

describe('a manager that is disposed while an append is in flight', () => {
  test('tells those that would wait from then on, and takes their requests back', async () => {
    const { manager, store, clock } = await started({ capacity: { memory: 10 } });
    const lease = await manager.allocate({ requirements: { memory: 10 } });
    store.next('held');
    const renewal = manager.renew(lease);
    await clock.advanceAsync(0);
    const waiting = rejection(manager.allocate({ requirements: { memory: 5 }, waitMs: 60_000 }));
    const disposed = manager.dispose();
    await clock.advanceAsync(0);
    store.go();
    await clock.advanceAsync(100);
    expect((await waiting).code).toBe('DRAINING');
    await Promise.all([disposed, renewal]);
    expect(checkLog(await history(store)).waiting.size).toBe(0);
  });

  test('answers its callers though the append fails and may be tried again', async () => {
    const { manager, store, clock } = await started();
    store.next('held', 'failedRetryable');
    const first = manager.allocate({ requirements: { memory: 1 } });
    await clock.advanceAsync(0);
    const second = manager.allocate({ requirements: { memory: 1 } });
    const disposed = manager.dispose();
    await clock.advanceAsync(0);
    store.go();
    await clock.advanceAsync(5_000);
    expect([(await first).token, (await second).token]).toEqual([1, 2]);
    await disposed;
  });
});

describe('an append that fails for certain', () => {
  test('is tried again if the store says that it may pass', async () => {
    const { manager, store, clock } = await started();
    store.next('failedRetryable', 'failedRetryable');
    const asked = manager.allocate({ requirements: { memory: 1 } });
    await clock.advanceAsync(1_000);
    expect((await asked).token).toBe(1);
    await manager.dispose();
  });

  test('refuses its callers, takes everything back, and serves again', async () => {
    const { manager, store, clock } = await started();
    store.next('failedForGood');
    expect((await rejection(manager.allocate({ id: 'a', requirements: { memory: 100 } }))).code).toBe(
      'LOG_UNAVAILABLE',
    );
    await clock.advanceAsync(2_000);
    expect((await manager.allocate({ id: 'a', requirements: { memory: 100 } })).token).toBe(1);
    await manager.dispose();
  });

  test('opens the breaker at once; its change is recorded when the log accepts again', async () => {
    const breaker = { minimumCalls: 2, windowCount: 4, openMs: 60_000, jitterRatio: 0 };
    const { manager, store, clock } = await started({ config: { overload: { pressureRatio: 1 }, breaker } });
    store.next(...Array<'failedForGood'>(6).fill('failedForGood'));
    for (let i = 0; i < 4; i++) {
      await rejection(manager.allocate({ requirements: { memory: 1 } }));
      await clock.advanceAsync(1_100);
    }
    expect((await manager.getPool()).breaker.mode).toBe('open');
    await clock.advanceAsync(10_000);
    expect((await history(store)).at(-1)).toMatchObject({ type: 'BreakerModeChanged', data: { to: 'open' } });
    expect((await manager.tryAllocate({ requirements: { memory: 1 } })) as object).toMatchObject({
      refused: { code: 'BREAKER_OPEN' },
    });
    await manager.dispose();
  });

  test('loses no command of the manager itself: an expiry is recorded when the log accepts again', async () => {
    const { manager, store, clock } = await started();
    const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 1_000 });
    store.next('failedForGood', 'failedForGood', 'failedForGood');
    await clock.advanceAsync(10_000);
    expect(lease.state).toBe('reclaimed');
    await manager.dispose();
  });
});

test('a losing writer makes progress, and two writers never grant one unit twice', async () => {
  const { manager, store, clock } = await started({ capacity: { memory: 50 } });
  const other = world({ store: store.inner, clock, options: { writerId: 'writer-2' }, capacity: { memory: 50 } });
  await other.manager.ready();
  const ask = (from: typeof manager) => from.tryAllocate({ requirements: { memory: 1 } });
  const answers = Array.from({ length: 80 }, (_, i) => ask(i % 2 === 0 ? manager : other.manager));
  await clock.advanceAsync(5_000);
  const granted = (await Promise.all(answers)).filter((answer) => 'granted' in answer);
  expect(granted.length).toBe(50);
  const log = await history(store);
  expect(checkLog(log).lastToken).toBe(50);
  expect(new Set(granted.map((answer) => (answer as { granted: { token: number } }).granted.token)).size).toBe(50);
  expect(typesOf(log).filter((type) => type === 'LeaseGranted').length).toBe(50);
  expect((await manager.getPool()).leases).toBe(50);
  expect((await other.manager.getPool()).leases).toBe(50);
  await Promise.all([manager.dispose(), other.manager.dispose(), clock.advanceAsync(100)]);
});
