import type { IdempotencyConfig } from '../model/config.ts';
import type { EventData, RecordedPoolEvent } from '../model/events.ts';

interface Ended {
  readonly leaseId: string;
  readonly at: number;
}

/**
 * A second opinion on idempotency keys: a key, scoped by its owner, yields one grant for as long as its lease is live, and after its
 * end for as long as ended leases are kept.
 */
export class KeyModel {
  readonly #leases = new Map<string, string>();
  readonly #keys = new Map<string, string>();
  #ended: Ended[] = [];
  #kept: IdempotencyConfig = { retentionMs: Number.POSITIVE_INFINITY, maxEntries: Number.POSITIVE_INFINITY };

  /** Takes the next event; what is wrong with it, empty = nothing. */
  apply(event: RecordedPoolEvent): string[] {
    if (event.type === 'ConfigChanged') this.#kept = event.data.config.idempotency;
    else if (event.type === 'LeaseGranted') {
      this.#forgetBefore(event.at);
      return this.#grant(event.data);
    } else if (event.type === 'LeaseReleased' || event.type === 'LeaseReclaimed')
      this.#end(event.data.leaseId, event.at);
    return [];
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
    this.#ended.push({ leaseId, at });
    this.#forgetBefore(at);
  }

  #forgetBefore(at: number): void {
    const { retentionMs, maxEntries } = this.#kept;
    const kept = this.#ended.findIndex((one, i) => this.#ended.length - i <= maxEntries && at - one.at <= retentionMs);
    for (const one of this.#ended.splice(0, kept < 0 ? this.#ended.length : kept)) this.#forget(one.leaseId);
  }

  #forget(leaseId: string): void {
    const key = this.#keys.get(leaseId);
    this.#keys.delete(leaseId);
    if (key !== undefined && this.#leases.get(key) === leaseId) this.#leases.delete(key);
  }
}
