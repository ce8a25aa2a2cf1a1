import { MemoryEventStore } from '../../../src/eventstore/memory/store.ts';
import { FaultyStore, type FaultyStoreOptions } from '../../../src/testing/faulty-store.ts';
import { systemClock } from '../../../src/time/system-clock.ts';

/** A store in memory whose appends go as the test says (`next`, `stall`); the audit stream is left alone. */
export const faultyStore = (options: Partial<FaultyStoreOptions> = {}): FaultyStore =>
  new FaultyStore(new MemoryEventStore(), {
    clock: systemClock,
    random: () => 0.5,
    suffers: (stream) => stream === 'pool-default',
    ...options,
  });
