import type { Subscription } from 'rxjs';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import type { Clock } from '../model/clock.ts';
import type { CommandData } from '../model/commands.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { Deadlines } from '../rx/deadlines.ts';
import type { Jitter } from './backoff.ts';

/** Leases that one command reclaims at most: what it causes must fit one append, wake-ups included. */
const CHUNK = 64;
/** A lease whose renewal is on its way to the log is looked at again after this. */
const LOOK_AGAIN_MS = 1_000;

export interface KeeperOptions {
  readonly clock: Clock;
  readonly state: PoolState;
  /** Of the last event that is committed: the working state may be ahead of it. */
  readonly committedRevision: () => number;
  readonly jitter: Jitter;
  readonly submit: <T extends DeadlineCommand>(type: T, data: CommandData[T]) => void;
}

export type DeadlineCommand = 'ReclaimExpired' | 'EndNoticed' | 'ExpireRequests' | 'EndQuarantine' | 'ObserveClockGap';

interface Term {
  readonly leaseId: string;
  readonly ttlMs: number;
  readonly expiresAt: number;
}

/** What a key of the wheel stands for; a lease's expiry has the bare lease id as its key. */
type Kind = 'n' | 'q' | 'w';
const keyOf = (kind: Kind, leaseId: string): string => `${kind}:${leaseId}`;

/**
 * Every deadline of the pool on this writer's monotonic clock. What was granted or renewed here has its full time from the commit;
 * what is learnt from the log has what is left by the wall clock, but at least one renewal interval and at most the full time. So
 * clock skew, a wrong wall clock and downtime need no cases of their own.
 */
export class DeadlineKeeper {
  readonly #options: KeeperOptions;
  readonly #deadlines: Deadlines<string>;
  readonly #subscriptions: readonly Subscription[];
  /** How many keys have a kind, so that leases without notice cost no look-up of one. */
  #marked = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines<string>({ clock: options.clock });
    this.#subscriptions = [
      this.#deadlines.due$.subscribe((keys) => this.#due(keys)),
      this.#deadlines.gap$.subscribe((gapMs) => options.submit('ObserveClockGap', { gapMs: Math.round(gapMs) })),
    ];
  }

  /** After a start: all that is live, expiries spread over a renewal interval so that they do not come at once. */
  resume(): void {
    const { state } = this.#options;
    for (const lease of state.leases.values()) this.#learnLease(lease);
    for (const request of state.waiting.values())
      this.#learn('w', request.leaseId, request.expiresAt, request.queuedAt);
    for (const { leaseId, until } of state.quarantine.values()) this.#learn('q', leaseId, until, state.at);
  }

  /** The backstop: deadlines that got lost on the way are set again. */
  sweep(): void {
    const { leases } = this.#options.state;
    if (this.#deadlines.size - this.#marked >= leases.size) return;
    for (const lease of leases.values()) if (this.#deadlines.at(lease.leaseId) === undefined) this.#learnLease(lease);
  }

  follow(event: RecordedPoolEvent, own: boolean, nowMs: number): void {
    switch (event.type) {
      case 'LeaseGranted':
        if (event.data.waitedMs !== null) this.#unmark('w', event.data.leaseId);
        this.#setExpiry(event.data, event.at, own, nowMs);
        break;
      case 'LeaseReleased':
      case 'LeaseReclaimed':
        this.#deadlines.cancel(event.data.leaseId);
        this.#unmark('n', event.data.leaseId);
        break;
      case 'LeasesRenewed':
        for (const renewal of event.data.renewals) this.#setExpiry(renewal, event.at, own, nowMs);
        break;
      case 'RevocationNoticed':
        this.#mark('n', event.data.leaseId, own, event.data.endsAt, event.at, nowMs);
        break;
      case 'QuarantineStarted':
        this.#mark('q', event.data.leaseId, own, event.data.until, event.at, nowMs);
        break;
      case 'RequestQueued':
        this.#mark('w', event.data.leaseId, own, event.data.expiresAt, event.at, nowMs);
        break;
      case 'QuarantineEnded':
        this.#unmark('q', event.data.leaseId);
        break;
      case 'RequestCancelled':
      case 'RequestExpired':
        this.#unmark('w', event.data.leaseId);
        break;
    }
  }

  /** Until the lease's deadline, ms; 0 if it has none. */
  leftMs(leaseId: string): number {
    const at = this.#deadlines.at(leaseId);
    return at === undefined ? 0 : Math.max(0, at - this.#options.clock.monotonic());
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#deadlines.stop();
  }

  #setExpiry({ leaseId, ttlMs, expiresAt }: Term, at: number, own: boolean, nowMs: number): void {
    this.#deadlines.schedule(leaseId, nowMs + (own ? expiresAt - at : this.#learntMs(ttlMs, expiresAt)));
  }

  #learnLease(lease: LeaseRecord): void {
    const nowMs = this.#options.clock.monotonic();
    this.#deadlines.schedule(lease.leaseId, nowMs + this.#learntMs(lease.ttlMs, lease.expiresAt));
    if (lease.noticeEndsAt !== null) this.#learn('n', lease.leaseId, lease.noticeEndsAt, lease.grantedAt);
  }

  /** At least a renewal interval, and then a drawn part of another one, since many are learnt at once. */
  #learntMs(ttlMs: number, expiresAt: number): number {
    const leftMs = expiresAt - this.#options.clock.now();
    const intervalMs = ttlMs / 3;
    const boundedMs = leftMs >= intervalMs ? leftMs : intervalMs + this.#options.jitter() * intervalMs;
    return Math.min(boundedMs, ttlMs);
  }

  #learn(kind: Kind, leaseId: string, until: number, since: number): void {
    this.#mark(kind, leaseId, false, until, since, this.#options.clock.monotonic());
  }

  #mark(kind: Kind, leaseId: string, own: boolean, until: number, since: number, nowMs: number): void {
    const wholeMs = Math.max(0, until - since);
    const leftMs = own ? wholeMs : Math.min(wholeMs, Math.max(0, until - this.#options.clock.now()));
    const key = keyOf(kind, leaseId);
    if (this.#deadlines.at(key) === undefined) this.#marked += 1;
    this.#deadlines.schedule(key, nowMs + leftMs);
  }

  #unmark(kind: Kind, leaseId: string): void {
    if (this.#marked > 0 && this.#deadlines.cancel(keyOf(kind, leaseId))) this.#marked -= 1;
  }

  #due(keys: readonly string[]): void {
    const byKind = { n: [] as string[], q: [] as string[], w: [] as string[] };
    const expired: { leaseId: string; expiresAt: number }[] = [];
    for (const key of keys) {
      if (key[1] === ':') byKind[key[0] as Kind].push(key.slice(2));
      else this.#expire(key, expired);
    }
    this.#marked -= byKind.n.length + byKind.q.length + byKind.w.length;
    const { submit } = this.#options;
    for (const leases of chunks(expired)) submit('ReclaimExpired', { leases });
    for (const leaseIds of chunks(byKind.n)) submit('EndNoticed', { leaseIds });
    for (const leaseIds of chunks(byKind.w)) submit('ExpireRequests', { leaseIds });
    for (const leaseIds of chunks(byKind.q)) submit('EndQuarantine', { leaseIds });
  }

  /** A renewal that is not committed yet moves the deadline when it is; if it never is, the look after it reclaims. */
  #expire(leaseId: string, expired: { leaseId: string; expiresAt: number }[]): void {
    const { state, committedRevision, clock } = this.#options;
    const lease = state.leases.get(leaseId);
    if (lease === undefined) return;
    if (lease.revision > committedRevision()) this.#deadlines.schedule(leaseId, clock.monotonic() + LOOK_AGAIN_MS);
    else expired.push({ leaseId, expiresAt: lease.expiresAt });
  }
}

function* chunks<T>(items: readonly T[]): Iterable<readonly T[]> {
  for (let i = 0; i < items.length; i += CHUNK) yield items.slice(i, i + CHUNK);
}
