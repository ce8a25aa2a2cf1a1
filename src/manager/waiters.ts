import { leaseOfGrant } from '../domain/evolve/leases.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { type AllocateCall, cancelledRefusal, waitExpiredRefusal } from './allocate-call.ts';

type Waiter = AllocateCall<unknown>;

/** Callers that wait in person for a queued request. Each is told when the event that ends its wait is committed. */
export class Waiters {
  readonly #state: PoolState;
  readonly #waiting = new Map<string, readonly Waiter[]>();

  constructor(state: PoolState) {
    this.#state = state;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Several may wait for one request: those that repeated it with its key. */
  wait(leaseId: string, call: Waiter): void {
    this.#waiting.set(leaseId, [...(this.#waiting.get(leaseId) ?? []), call]);
  }

  follow(event: RecordedPoolEvent): void {
    if (this.#waiting.size === 0) return;
    if (event.type === 'LeaseGranted') {
      const { leaseId } = event.data;
      this.#end(leaseId, (call, first) => call.granted(this.#leaseOf(event), !first));
    } else if (event.type === 'RequestCancelled') {
      const { leaseId, reason } = event.data;
      this.#end(leaseId, (call) => call.ended(cancelledRefusal(reason, leaseId, event.revision)));
    } else if (event.type === 'RequestExpired') {
      const { leaseId } = event.data;
      this.#end(leaseId, (call) => call.ended(waitExpiredRefusal(leaseId, event.revision)));
    }
  }

  /** The manager stops: a request with a key, or a detached one, waits on without its caller. */
  failAll(error: unknown): void {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const call of all) call.failed(error);
  }

  /** As it stands now; one that has ended meanwhile, and is forgotten, as it was granted. */
  #leaseOf(event: Extract<RecordedPoolEvent, { type: 'LeaseGranted' }>): LeaseRecord {
    const { leases, ended } = this.#state;
    const { leaseId } = event.data;
    return leases.get(leaseId) ?? ended.get(leaseId)?.lease ?? leaseOfGrant(event);
  }

  #end(leaseId: string, tell: (call: Waiter, first: boolean) => void): void {
    const calls = this.#waiting.get(leaseId);
    if (calls === undefined) return;
    this.#waiting.delete(leaseId);
    for (const [i, call] of calls.entries()) tell(call, i === 0);
  }
}
