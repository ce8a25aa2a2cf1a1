import type { Clock } from '../../model/clock.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';

interface Watch {
  readonly controller: AbortController;
  cancelTimer: () => void;
}

/** How long before its expiry a lease's signal aborts: a tenth of the TTL, at most a second. */
const marginMs = (ttlMs: number): number => Math.min(1_000, ttlMs / 10);

/** Signals of leases, for those that ask. The time to expiry counts on the monotonic clock, from the commit. */
export class LeaseWatches {
  readonly #clock: Clock;
  readonly #watches = new Map<string, Watch>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `leftMs`: until it expires; 0 or less = it has ended. */
  watch(leaseId: string, leftMs: number, ttlMs: number): AbortSignal {
    const known = this.#watches.get(leaseId);
    if (known !== undefined) return known.controller.signal;
    const watch: Watch = { controller: new AbortController(), cancelTimer: () => undefined };
    if (leftMs <= 0) this.#abort(leaseId, watch, 'the lease has ended');
    else {
      this.#watches.set(leaseId, watch);
      this.#arm(leaseId, watch, leftMs - marginMs(ttlMs));
    }
    return watch.controller.signal;
  }

  /** Committed events, as they come. */
  follow(event: RecordedPoolEvent): void {
    if (this.#watches.size === 0) return;
    if (event.type === 'LeasesRenewed') for (const renewal of event.data.renewals) this.#renewed(renewal);
    else if (event.type === 'LeaseReleased') this.#end(event.data.leaseId, 'the lease was released');
    else if (event.type === 'LeaseReclaimed')
      this.#end(event.data.leaseId, `the lease was reclaimed (${event.data.reason})`);
    else if (event.type === 'RevocationNoticed')
      this.#end(event.data.leaseId, `the lease ends at ${event.data.endsAt} (${event.data.reason})`);
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.cancelTimer();
    this.#watches.clear();
  }

  #renewed({ leaseId, ttlMs }: { readonly leaseId: string; readonly ttlMs: number }): void {
    const watch = this.#watches.get(leaseId);
    if (watch === undefined) return;
    watch.cancelTimer();
    this.#arm(leaseId, watch, ttlMs - marginMs(ttlMs));
  }

  #arm(leaseId: string, watch: Watch, delayMs: number): void {
    watch.cancelTimer = this.#clock.schedule(Math.max(0, delayMs), () =>
      this.#end(leaseId, 'the lease is about to expire'),
    );
  }

  #end(leaseId: string, why: string): void {
    const watch = this.#watches.get(leaseId);
    if (watch !== undefined) this.#abort(leaseId, watch, why);
  }

  #abort(leaseId: string, watch: Watch, why: string): void {
    watch.cancelTimer();
    this.#watches.delete(leaseId);
    watch.controller.abort(new DOMException(why, 'AbortError'));
  }
}
