import type { LeaseRecord } from '../domain/state.ts';
import {
  type AuditEventType,
  type EventType,
  type RecordedAuditEvent,
  type RecordedPoolEvent,
  SCHEMA_VERSIONS,
} from '../model/events.ts';
import { BlockIndex } from './block-index.ts';
import type { OwnerOf } from './filter.ts';

const TYPES = Object.keys(SCHEMA_VERSIONS) as (EventType | AuditEventType)[];

/** Where filters of a pool's events find what they ask for. It follows `concerns` (filter.ts): what that may find is marked here. */
export class EventIndex extends BlockIndex {
  readonly #ownerOf: OwnerOf;

  /** `ownerOf`: as the pool stands when an event has been folded. Whoever is forgotten by then is no filter's any more. */
  constructor(ownerOf: OwnerOf, size?: ConstructorParameters<typeof BlockIndex>[1]) {
    super(TYPES, size);
    this.#ownerOf = ownerOf;
  }

  /** `lease`: the one that the event grants or ends. */
  apply({ revision, type, data }: RecordedPoolEvent, lease: LeaseRecord | undefined): void {
    this.add(revision, type);
    if (lease !== undefined) {
      this.mark('lease', lease.leaseId);
      this.mark('owner', lease.owner);
    } else if ('renewals' in data) for (const { leaseId } of data.renewals) this.#about(leaseId);
    else if ('request' in data) {
      this.mark('lease', data.leaseId);
      this.mark('owner', data.request.owner);
    } else if ('leaseId' in data) this.#about(data.leaseId);
  }

  #about(leaseId: string): void {
    this.mark('lease', leaseId);
    const owner = this.#ownerOf(leaseId);
    if (owner !== undefined) this.mark('owner', owner);
  }
}

/** The same of the audit stream: a refusal says itself whose it is. */
export class RefusalIndex extends BlockIndex {
  constructor(size?: ConstructorParameters<typeof BlockIndex>[1]) {
    super(TYPES, size);
  }

  apply({ revision, type, data }: RecordedAuditEvent): void {
    this.add(revision, type);
    if (!('refusal' in data)) return;
    this.mark('lease', data.refusal.decisionId);
    this.mark('owner', data.request.owner);
  }
}
