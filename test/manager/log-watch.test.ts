import { expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { PoolError } from '../../src/model/errors.ts';
import type { StoreCondition } from '../../src/model/event-store.ts';
import { world } from './fixture.ts';

/** A store in memory that says of itself what a store on a disk finds out between appends. */
class WatchedStore extends MemoryEventStore {
  readonly condition: { -readonly [K in keyof StoreCondition]: StoreCondition[K] } = {
    poison: undefined,
    trouble: undefined,
    walBytes: 0,
    walGrown: false,
  };
}

async function started() {
  const store = new WatchedStore();
  const all = world({ store });
  await all.manager.ready();
  const said = () => all.issues.map(({ code, severity, message }) => [code, severity, message]);
  return { ...all, condition: store.condition, said };
}

const WELL = ['LOG_WELL', 'info', 'the log records again, and has its size'];

test('a log that is stuck is alerted once, a second late at most, and once more when it records again', async () => {
  const { manager, clock, condition, said } = await started();
  condition.trouble = new PoolError('LOG_UNAVAILABLE', 'the disk has no room for the log');
  await clock.advanceAsync(999);
  expect(said()).toEqual([]);
  await clock.advanceAsync(1);
  await clock.advanceAsync(5_000);
  const stuck = ['LOG_STUCK', 'critical', 'the disk has no room for the log'];
  expect(said()).toEqual([stuck]);
  condition.trouble = undefined;
  await clock.advanceAsync(5_000);
  expect(said()).toEqual([stuck, WELL]);
  await manager.dispose();
});

test('a write-ahead log that a long reader makes grow is alerted with its size, once until it has its size again', async () => {
  const { manager, clock, condition, said } = await started();
  Object.assign(condition, { walGrown: true, walBytes: 33_554_432 });
  await clock.advanceAsync(1_000);
  condition.walBytes *= 2;
  await clock.advanceAsync(5_000);
  const grows = [
    'LOG_GROWS',
    'warning',
    'the write-ahead log has grown to 33554432 bytes, since a reader or a full disk keeps it',
  ];
  expect(said()).toEqual([grows]);
  condition.walGrown = false;
  await clock.advanceAsync(1_000);
  expect(said()).toEqual([grows, WELL]);
  await manager.dispose();
});

test('what is worse is alerted over what is less: growing, then stuck, then growing still', async () => {
  const { manager, clock, condition, issues } = await started();
  condition.walGrown = true;
  await clock.advanceAsync(1_000);
  condition.trouble = new PoolError('LOG_UNAVAILABLE', 'held');
  await clock.advanceAsync(1_000);
  condition.trouble = undefined;
  await clock.advanceAsync(1_000);
  expect(issues.map(({ code }) => code)).toEqual(['LOG_GROWS', 'LOG_STUCK', 'LOG_GROWS']);
  await manager.dispose();
  await clock.advanceAsync(5_000);
  expect(issues).toHaveLength(3);
});
