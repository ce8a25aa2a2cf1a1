import { setImmediate } from 'node:timers/promises';
import { LeaseRecord, type PoolState } from '../../domain/state.ts';
import { PoolError } from '../../model/errors.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';
import { standsAlone } from '../../model/request.ts';
import { type AllocateCall, cancelledRefusal, waitExpiredRefusal } from './allocate-call.ts';

type Waiter = AllocateCall<unknown>;

/** So many callers are told at most before the event loop goes round. */
const TOLD_AT_ONCE = 256;

/** Callers that wait in person for a queued request. Each is told when the event that ends its wait is committed. */
export class Waiters {
  readonly #state: PoolState;
  readonly #waiting = new Map<string, Waiter[]>();
  #closed: PoolError | undefined;

  constructor(state: PoolState) {
    this.#state = state;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Several may wait for one request: those that repeated it with its key. */
  wait(leaseId: string, call: Waiter): void {
    const others = this.#waiting.get(leaseId);
    if (others === undefined) this.#waiting.set(leaseId, [call]);
    else others.push(call);
    if (this.#closed !== undefined) call.leave(reasonFor(call, this.#closed));
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

  /**
   * The manager stops: whoever waits is told so (many in parts), and whoever would from here on. They stay listed, so that a grant that was on
   * its way to one of them is given back. A request with a key, or a detached one, waits on without its caller, who is told so.
   */
  async close(why: PoolError): Promise<void> {
    this.#closed = why;
    let told = 0;
    for (const [leaseId, calls] of [...this.#waiting]) {
      if (!this.#waiting.has(leaseId)) continue; // told meanwhile
      for (const call of calls) call.leave(reasonFor(call, why));
      told += calls.length;
      if (told < TOLD_AT_ONCE) continue;
      told = 0;
      await setImmediate();
    }
  }

  /** As it stands now; one that has ended meanwhile, and is forgotten, as it was granted. */
  #leaseOf({ data, at, revision }: Extract<RecordedPoolEvent, { type: 'LeaseGranted' }>): LeaseRecord {
    const { leases, ended, terms, numbered } = this.#state;
    const known = leases.withToken(data.token) ?? ended.get(data.leaseId)?.lease;
    return known ?? LeaseRecord.granted(data, terms.of(data, numbered), at, revision);
  }

  #end(leaseId: string, tell: (call: Waiter, first: boolean) => void): void {
    const calls = this.#waiting.get(leaseId);
    if (calls === undefined) return;
    this.#waiting.delete(leaseId);
    for (const [i, call] of calls.entries()) tell(call, i === 0);
  }
}

/** Nothing was done for a request that goes with its caller; one that stands alone may still be granted. */
function reasonFor(call: Waiter, why: PoolError): PoolError {
  if (!standsAlone(call.command.data.request)) return why;
  const { message, details } = why;
  return new PoolError('OUTCOME_UNKNOWN', `${message}; the request waits on: repeat it with its key`, { details });
}
