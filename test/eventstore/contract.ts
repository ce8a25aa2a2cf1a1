import { afterAll, beforeAll, describe } from 'vitest';
import type { EventStore } from '../../src/model/event-store.ts';
import { appendContract } from './contract-append.ts';
import { readContract, unknownEventContract } from './contract-read.ts';
import { reopenContract } from './contract-reopen.ts';
import { snapshotContract } from './contract-snapshots.ts';
import { subscribeContract } from './contract-subscribe.ts';

/** What a suite needs of an adapter. A store opened by `open` sees what an earlier one of the same subject wrote, if durable. */
export interface Subject {
  open(): Promise<EventStore>;
  /** After all stores are closed: removes files, stops servers. */
  dispose(): Promise<void>;
}

/** Sizes to turn down for a store behind a network. */
export interface ContractSizes {
  readonly propertyRuns: number;
  readonly liveEvents: number;
  readonly largeBatch: number;
  readonly snapshotBytes: number;
}

export const FULL: ContractSizes = {
  propertyRuns: 100,
  liveEvents: 20_000,
  largeBatch: 4096,
  snapshotBytes: 8 << 20,
};

/** The store under test, opened once for the suite; `fresh` opens another on the same data after closing it. */
export interface Bench {
  readonly store: EventStore;
  readonly sizes: ContractSizes;
  reopen(): Promise<EventStore>;
}

/**
 * The rules of the port that every adapter keeps. Streams are unique to each test, so that the suite may run against a
 * server that others use.
 */
export function eventStoreContract(name: string, subject: () => Promise<Subject>, sizes: ContractSizes = FULL): void {
  describe(`event store ${name}`, () => {
    let made: Subject;
    let store: EventStore;
    beforeAll(async () => {
      made = await subject();
      store = await made.open();
    });
    afterAll(async () => {
      await store.close();
      await made.dispose();
    });
    const bench: Bench = {
      get store() {
        return store;
      },
      sizes,
      async reopen() {
        await store.close();
        store = await made.open();
        return store;
      },
    };
    appendContract(bench);
    readContract(bench);
    subscribeContract(bench);
    snapshotContract(bench);
    reopenContract(bench);
    unknownEventContract(bench);
  });
}
