import type { RecordedPoolEvent } from '../model/events.ts';
import type { Projection } from './projection.ts';

/** Entries kept, one for each lease that an event is about: at most 16 bytes each, and the ids. */
export const HISTORY_ENTRIES = 131_072;

/** Where a lease's events are. */
export interface LeaseHistory {
  /** Ascending. */
  readonly revisions: readonly number[];
  /** From this revision on nothing is missing; what lies before must be looked for in the log. 0 = `revisions` is all. */
  readonly knownFrom: number;
}

interface SavedHistory {
  readonly leaseIds: readonly string[];
  readonly revisions: readonly number[];
  readonly next: number;
  readonly knownFrom: number;
}

/**
 * Which events are about which lease or waiting request, for the last 131 072 such facts. It is a ring that is written
 * blindly and searched when somebody asks: a history is asked for rarely, and an index would cost every grant a map entry.
 */
export class LeaseHistoryProjection implements Projection {
  readonly name = 'leaseHistory';
  readonly #size: number;
  #leaseIds: string[] = [];
  #revisions: number[] = [];
  /** The oldest entry's place once the ring is full: where the next is written. */
  #next = 0;
  #knownFrom = 0;

  constructor(size = HISTORY_ENTRIES) {
    this.#size = size;
  }

  apply(event: RecordedPoolEvent): void {
    if (event.type === 'LeasesRenewed') {
      for (const { leaseId } of event.data.renewals) this.#write(leaseId, event.revision);
    } else if ('leaseId' in event.data) {
      this.#write(event.data.leaseId, event.revision);
    }
  }

  of(leaseId: string): LeaseHistory {
    const revisions: number[] = [];
    const size = this.#leaseIds.length;
    for (let step = 0; step < size; step++) {
      const place = (this.#next + step) % size;
      if (this.#leaseIds[place] === leaseId) revisions.push(this.#revisions[place]!);
    }
    return { revisions, knownFrom: this.#knownFrom };
  }

  reset(): void {
    this.#leaseIds = [];
    this.#revisions = [];
    this.#next = 0;
    this.#knownFrom = 0;
  }

  save(): SavedHistory {
    return {
      leaseIds: [...this.#leaseIds],
      revisions: [...this.#revisions],
      next: this.#next,
      knownFrom: this.#knownFrom,
    };
  }

  load(saved: SavedHistory): void {
    this.#leaseIds = [...saved.leaseIds];
    this.#revisions = [...saved.revisions];
    this.#next = saved.next;
    this.#knownFrom = saved.knownFrom;
  }

  #write(leaseId: string, revision: number): void {
    if (this.#leaseIds.length < this.#size) {
      this.#leaseIds.push(leaseId);
      this.#revisions.push(revision);
      return;
    }
    this.#knownFrom = this.#revisions[this.#next]! + 1;
    this.#leaseIds[this.#next] = leaseId;
    this.#revisions[this.#next] = revision;
    this.#next = (this.#next + 1) % this.#size;
  }
}
