import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { CallOptions } from '../../src/manager/service.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { RecordingStore } from '../engine/recording-store.ts';
import { history, rejection, typesOf, world } from './fixture.ts';

/** Options with a key that tell how often a repeat was answered. */
function keyed(idempotencyKey: string): { options: CallOptions; replays: () => number } {
  let count = 0;
  const onReplayed = () => {
    count += 1;
  };
  return { options: { idempotencyKey, onReplayed, actor: 'ops' }, replays: () => count };
}

describe('a call with an idempotency key', () => {
  test('renews once, however often it is repeated, also by the manager after a restart', async () => {
    const store = new MemoryEventStore();
    const clock = fakeClock();
    const first = world({ store, clock });
    const { id, token } = await first.manager.allocate({ requirements: { memory: 1 }, ttlMs: 60_000 });
    const { options, replays } = keyed('k');
    await clock.advanceAsync(1_000);
    const { lease } = await first.manager.renewLease(id, token, undefined, options);
    await clock.advanceAsync(1_000);
    expect(await first.manager.renewLease(id, token, undefined, options)).toEqual({ lease, replayed: true });
    await first.manager.dispose();
    const second = world({ store, clock });
    expect(await second.manager.renewLease(id, token, undefined, options)).toEqual({ lease, replayed: true });
    expect(replays()).toBe(2);
    const other = rejection(second.manager.renewLease(id, token, 5_000, options));
    expect(await other).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(typesOf(await history(store)).filter((type) => type === 'LeasesRenewed')).toHaveLength(1);
    await second.manager.dispose();
  });

  test('compares requests in base units: the same amount written otherwise is the same body', async () => {
    const { manager } = world();
    const ask = (memory: string | number) =>
      manager.submit({ id: 'a', requirements: { memory } }, { idempotencyKey: 'k' });
    expect(await ask('10Mi')).toMatchObject({ kind: 'granted', replayed: false });
    expect(await ask(10)).toMatchObject({ kind: 'granted', replayed: true });
    expect(await ask(11)).toMatchObject({ kind: 'refused', refusal: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    await manager.dispose();
  });

  test('takes a key for a name that the manager makes as the same request', async () => {
    const { manager } = world();
    const ask = () => manager.submit({ requirements: { memory: 1 } }, { idempotencyKey: 'k' });
    const [one, two] = [await ask(), await ask()];
    expect(two).toMatchObject({
      kind: 'granted',
      replayed: true,
      lease: { id: (one as { lease: { id: string } }).lease.id },
    });
    await manager.dispose();
  });

  test('opens, closes and empties tiers once', async () => {
    const { manager } = world();
    const { options, replays } = keyed('k');
    expect((await manager.cordonTier('all', options)).admission).toBe('cordoned');
    await manager.uncordonTier('all');
    expect((await manager.cordonTier('all', options)).admission).toBe('open');
    expect(replays()).toBe(1);
    await manager.dispose();
  });

  test('sets the breaker once, in force and recorded under its actor', async () => {
    const { manager, store } = world();
    await manager.ready();
    const { options, replays } = keyed('k');
    expect((await manager.setBreaker('forcedOpen', options)).mode).toBe('forcedOpen');
    expect((await manager.setBreaker('closed', { actor: 'ops' })).mode).toBe('closed');
    await manager.cordonTier('all');
    expect((await manager.setBreaker('forcedOpen', options)).mode).toBe('closed');
    expect(replays()).toBe(1);
    expect(await rejection(manager.setBreaker('disabled', options))).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    const changes = (await history(store)).filter(({ type }) => type === 'BreakerModeChanged');
    expect(changes.map(({ metadata }) => [metadata.actor, metadata.key?.key])).toEqual([
      ['ops', 'k'],
      ['ops', undefined],
    ]);
    await manager.dispose();
  });

  test('sets the breaker once while the log accepts nothing, and once the change is recorded', async () => {
    const clock = fakeClock();
    const store = new RecordingStore(clock);
    const { manager } = world({ store, clock });
    await manager.ready();
    const { options, replays } = keyed('k');
    store.next('failedForGood', 'failedForGood');
    await rejection(manager.allocate({ requirements: { memory: 1 } }));
    const set = async () => {
      expect((await manager.setBreaker('forcedOpen', options)).mode).toBe('closed');
      expect(await rejection(manager.setBreaker('disabled', options))).toMatchObject({
        code: 'IDEMPOTENCY_KEY_REUSED',
      });
    };
    expect((await manager.setBreaker('forcedOpen', options)).mode).toBe('forcedOpen');
    expect((await manager.setBreaker('closed')).mode).toBe('closed');
    await set();
    expect((await history(store)).map(({ type }) => type)).not.toContain('BreakerModeChanged');
    await clock.advanceAsync(10_000);
    await set();
    expect(replays()).toBe(2);
    const changes = (await history(store)).filter(({ type }) => type === 'BreakerModeChanged');
    expect(changes.map(({ metadata }) => metadata.key?.key)).toEqual(['k', undefined]);
    await manager.dispose();
  });

  test('changes the configuration once', async () => {
    const { manager } = world();
    const { revision } = await manager.getConfig();
    const { options, replays } = keyed('k');
    const patch = () => manager.patchConfig({ maxPoolSize: 50 }, revision, options);
    const { config } = await patch();
    await manager.configure({ maxPoolSize: 70 });
    expect(config.maxPoolSize).toBe(50);
    expect((await patch()).config.maxPoolSize).toBe(70);
    expect(replays()).toBe(1);
    await manager.dispose();
  });

  test('is told of a key that is none', async () => {
    const { manager } = world();
    const { options } = keyed('no key');
    const { code, details } = await rejection(manager.cordonTier('all', options));
    expect([code, details['errors']]).toMatchObject(['INVALID_REQUEST', [{ path: 'idempotencyKey', value: 'no key' }]]);
    await manager.dispose();
  });
});
