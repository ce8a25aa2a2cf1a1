import { endedBytes, MAX_ENDED_BYTES } from '../domain/ledger/ended-leases.ts';
import { termsBytes } from '../domain/ledger/lease-terms.ts';
import type { IdempotencyConfig } from '../model/config/config.ts';
import type { EventData, RecordedPoolEvent } from '../model/events.ts';

interface Ended {
  readonly leaseId: string;
  readonly at: number;
  readonly bytes: number;
}

/**
 * A second opinion on idempotency keys: a key, scoped by its owner, yields one grant for as long as its lease is live, and after its
 * end for as long as ended leases are kept.
 */
export class KeyModel {
  readonly #leases = new Map<string, string>();
  readonly #keys = new Map<string, string>();
  #ended: Ended[] = [];
  #endedBytes = 0;
  /** What each live lease will count once it has ended. */
  readonly #bytes = new Map<string, number>();
  #kept: IdempotencyConfig = { retentionMs: Number.POSITIVE_INFINITY, maxEntries: Number.POSITIVE_INFINITY };

  /** Takes the next event; what is wrong with it, empty = nothing. */
  apply(event: RecordedPoolEvent): string[] {
    if (event.type === 'ConfigChanged') this.#kept = event.data.config.idempotency;
    else if (event.type === 'LeaseGranted') {
      this.#forgetBefore(event.at);
      this.#weigh(event.data);
      return this.#grant(event.data);
    } else if (event.type === 'LeaseReleased' || event.type === 'LeaseReclaimed')
      this.#end(event.data.leaseId, event.at);
    return [];
  }

  #weigh(data: EventData['LeaseGranted']): void {
    const { leaseId, request } = data;
    const name = request.id === leaseId ? null : request.id;
    this.#bytes.set(leaseId, endedBytes(termsBytes(data), name, request.idempotencyKey));
  }

  #grant({ leaseId, request: { owner, idempotencyKey } }: EventData['LeaseGranted']): string[] {
    if (idempotencyKey === null) return [];
    const key = `${owner} ${idempotencyKey}`;
    const other = this.#leases.get(key);
    this.#leases.set(key, leaseId);
    this.#keys.set(leaseId, key);
    return other === undefined ? [] : [`key ${key} yields ${leaseId}, and has yielded ${other}`];
  }

  #end(leaseId: string, at: number): void {
    const bytes = this.#bytes.get(leaseId) ?? 0;
    this.#bytes.delete(leaseId);
    this.#ended.push({ leaseId, at, bytes });
    this.#endedBytes += bytes;
    this.#forgetBefore(at);
  }

  #forgetBefore(at: number): void {
    const { retentionMs, maxEntries } = this.#kept;
    let { length } = this.#ended;
    const isKept = ({ at: endedAt, bytes }: Ended): boolean => {
      if (length <= maxEntries && at - endedAt <= retentionMs && this.#endedBytes <= MAX_ENDED_BYTES) return true;
      length -= 1;
      this.#endedBytes -= bytes;
      return false;
    };
    const kept = this.#ended.findIndex(isKept);
    for (const one of this.#ended.splice(0, kept < 0 ? this.#ended.length : kept)) this.#forget(one.leaseId);
  }

  #forget(leaseId: string): void {
    const key = this.#keys.get(leaseId);
    this.#keys.delete(leaseId);
    if (key !== undefined && this.#leases.get(key) === leaseId) this.#leases.delete(key);
  }
}
