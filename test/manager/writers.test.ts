import { describe, expect, test, vi } from 'vitest';
import { Arrivals } from '../../src/domain/queue/arrivals.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { checkLog } from '../../src/testing/check-log.ts';
import { hostClock } from '../../src/testing/host-clock.ts';
import { type FakeClock, FaultyStore, fakeClock } from '../../src/testing/index.ts';
import { history, rejection, typesOf, world } from './fixture.ts';

const HOUR_MS = 3_600_000;

/** A manager in a process of its own: it can be cut off from the log, and die. */
function process(store: MemoryEventStore, clock: FakeClock, writerId: string) {
  const own = hostClock(clock);
  const connection = new FaultyStore(store, { clock: own, serverClock: clock, random: () => 0.5 });
  const { manager } = world({
    store: connection,
    clock,
    options: { writerId, clock: own },
    config: { overload: { pressureRatio: 1 }, leases: { maxTtlMs: 24 * HOUR_MS } },
  });
  const die = () => {
    own.kill();
    connection.kill();
  };
  return { manager, connection, die };
}

async function two() {
  const [store, clock] = [new MemoryEventStore(), fakeClock()];
  const [one, other] = [process(store, clock, 'w1'), process(store, clock, 'w2')];
  await Promise.all([one.manager.ready(), other.manager.ready(), clock.advanceAsync(100)]);
  const full = await other.manager.allocate({ requirements: { memory: 100 }, ttlMs: 3 * HOUR_MS });
  await clock.advanceAsync(10);
  const waiting = async () => [...checkLog(await history(store)).waiting.values()].map(({ request }) => request.id);
  const close = (...those: (typeof one)[]) =>
    Promise.all([...those.map(({ manager }) => manager.dispose()), clock.advanceAsync(10_000)]);
  return { store, clock, one, other, full, waiting, close };
}

const LONG = { requirements: { memory: 50 }, waitMs: HOUR_MS };

describe('several writers on one pool', () => {
  test('each sees the leases of the others as soon as they are committed', async () => {
    const { one, other, clock, close, full } = await two();
    await other.manager.release(full);
    await clock.advanceAsync(0);
    const lease = await one.manager.allocate({ requirements: { memory: 30 } });
    await clock.advanceAsync(0);
    expect(await other.manager.getLease(lease.id)).toMatchObject({ state: 'active', token: lease.token });
    await close(one, other);
  });

  test('nobody goes through those who wait to see whether their writers are there', async () => {
    const { one, other, clock, close } = await two();
    for (let i = 0; i < 100; i++) one.manager.allocate(LONG).catch(() => undefined);
    await clock.advanceAsync(10);
    const walks = vi.spyOn(Arrivals.prototype, 'after');
    const all = vi.spyOn(Arrivals.prototype, Symbol.iterator);
    await clock.advanceAsync(19_000);
    expect([walks.mock.calls.length, all.mock.calls.length]).toEqual([0, 0]);
    vi.restoreAllMocks();
    await close(one, other);
  });

  test('the waiters of a writer that died are cancelled by the others; those with a key are kept, and found', async () => {
    const { one, other, clock, waiting, close, full } = await two();
    void one.manager.allocate({ id: 'unkeyed', ...LONG });
    void one.manager.allocate({ id: 'keyed', idempotencyKey: 'k', ...LONG });
    await clock.advanceAsync(10);
    one.die();
    await clock.advanceAsync(10_000);
    expect(await waiting()).toEqual(['unkeyed', 'keyed']);
    await clock.advanceAsync(20_000);
    expect(await waiting()).toEqual(['keyed']);
    const again = other.manager.allocate({ id: 'keyed', idempotencyKey: 'k', ...LONG });
    await clock.advanceAsync(10);
    await other.manager.release(full);
    expect(await again).toMatchObject({ requestId: 'keyed' });
    await close(other);
  });

  test('a writer at which callers wait shows itself, and is not given up however long nothing happens', async () => {
    const { store, one, other, clock, waiting, close } = await two();
    const asked = rejection(one.manager.allocate({ id: 'patient', ...LONG }));
    await clock.advanceAsync(HOUR_MS / 4);
    expect(await waiting()).toEqual(['patient']);
    const shown = typesOf(await history(store)).filter((type) => type === 'WriterSeen').length;
    expect(shown).toBeGreaterThan(HOUR_MS / 4 / 20_000);
    expect(shown).toBeLessThanOrEqual(HOUR_MS / 4 / 5_000);
    await close(one, other);
    expect((await asked).code).toBe('DRAINING');
  });

  test('nothing is recorded of writers at which nobody waits', async () => {
    const { store, one, other, clock, close } = await two();
    const before = typesOf(await history(store));
    await clock.advanceAsync(HOUR_MS / 4);
    expect(typesOf(await history(store))).toEqual(before);
    await close(one, other);
  });

  test('a writer that was cut off for too long tells its callers CANCELLED when it hears of it', async () => {
    const { one, other, clock, waiting, close } = await two();
    const asked = rejection(one.manager.allocate({ id: 'cut-off', ...LONG }));
    await clock.advanceAsync(10);
    one.connection.stall();
    await clock.advanceAsync(40_000);
    expect(await waiting()).toEqual([]);
    one.connection.heal();
    await clock.advanceAsync(5_000);
    expect(await asked).toMatchObject({ code: 'CANCELLED', details: { reason: 'writerGone' } });
    await close(one, other);
  });

  test('one that does not hear of another for its own stall gives nobody up', async () => {
    const { one, other, clock, waiting, close } = await two();
    void rejection(one.manager.allocate({ id: 'a', ...LONG }));
    await clock.advanceAsync(10);
    other.connection.setRates({ subscriptionCut: 1 });
    await clock.advanceAsync(120_000);
    expect(await waiting()).toEqual(['a']);
    await close(one, other);
  });

  test('leases that a dead writer granted are taken back by the others when they expire', async () => {
    const { one, other, clock, full, close } = await two();
    await other.manager.release(full);
    await clock.advanceAsync(0);
    const lease = await one.manager.allocate({ requirements: { memory: 100 }, ttlMs: 10_000 });
    await clock.advanceAsync(100);
    one.die();
    await clock.advanceAsync(9_000);
    expect(await other.manager.getLease(lease.id)).toMatchObject({ state: 'active' });
    await clock.advanceAsync(2_000);
    expect(await other.manager.getLease(lease.id)).toMatchObject({ state: 'reclaimed', reason: 'expired' });
    await close(other);
  });

  test('a writer that starts again under its name takes back at once what waited at its earlier life', async () => {
    const { store, one, other, clock, waiting, close } = await two();
    void one.manager.allocate({ id: 'lost', ...LONG });
    await clock.advanceAsync(10);
    one.die();
    const again = process(store, clock, 'w1');
    await again.manager.ready();
    expect(await waiting()).toEqual([]);
    await close(again, other);
  });
});
