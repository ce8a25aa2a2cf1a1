import type { Subscription } from 'rxjs';
import { ByToken } from '../../domain/ledger/by-token.ts';
import type { LeaseRecord, PoolState } from '../../domain/state.ts';
import type { Clock } from '../../model/clock.ts';
import type { CommandData } from '../../model/commands.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';
import { renewalIntervalMs } from '../../model/renewal.ts';
import type { Jitter } from '../../time/backoff.ts';
import { Deadlines, type KeyIndex } from '../../time/deadlines.ts';
import { Slice } from '../../time/turn.ts';

/** Leases that one command reclaims at most: what it causes must fit one append, wake-ups included. */
const CHUNK = 64;
/** Leases and waiters that are looked at in one go. */
const LOOKED_AT = 4_096;
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
  readonly ttlMs: number;
  readonly expiresAt: number;
}

/** Notice, quarantine, waiting. */
type Kind = 'n' | 'q' | 'w';

interface Mark {
  readonly kind: Kind;
  readonly leaseId: string;
}

/** A lease's expiry has the lease's token as its key, anything else its kind and the lease's own id: a text of both would be a second id. */
type Key = number | Mark;

class Keys implements KeyIndex<Key> {
  readonly tokens = new ByToken<number>();
  readonly marks = { n: new Map<string, number>(), q: new Map<string, number>(), w: new Map<string, number>() };

  get size(): number {
    return this.tokens.size + this.marks.n.size + this.marks.q.size + this.marks.w.size;
  }
  get(key: Key): number | undefined {
    return typeof key === 'number' ? this.tokens.get(key) : this.marks[key.kind].get(key.leaseId);
  }
  set(key: Key, entry: number): void {
    if (typeof key === 'number') this.tokens.set(key, entry);
    else this.marks[key.kind].set(key.leaseId, entry);
  }
  delete(key: Key): boolean {
    return typeof key === 'number' ? this.tokens.delete(key) : this.marks[key.kind].delete(key.leaseId);
  }
}

/**
 * Every deadline of the pool on this writer's monotonic clock. What was granted or renewed here has its full time from the commit;
 * what is learnt from the log has what is left by the wall clock, but at least one renewal interval and at most the full time. So
 * clock skew, a wrong wall clock and downtime need no cases of their own.
 */
export class DeadlineKeeper {
  readonly #options: KeeperOptions;
  readonly #keys = new Keys();
  readonly #deadlines: Deadlines<Key>;
  readonly #subscriptions: readonly Subscription[];
  /** Token of the last lease that a sweep has looked at; 0 = the next begins with the first. */
  #sweptTo = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines<Key>({ clock: options.clock, index: this.#keys });
    this.#subscriptions = [
      this.#deadlines.due$.subscribe((keys) => this.#due(keys)),
      this.#deadlines.gap$.subscribe((gapMs) =>
        options.submit('ObserveClockGap', { gapMs: Math.round(gapMs), afterToken: 0 }),
      ),
    ];
  }

  /** After a start: all that is live, in parts, expiries spread over a renewal interval so that they do not come at once. */
  async resume(): Promise<void> {
    const { state } = this.#options;
    await inParts(state.leases.values(), (lease) => {
      if (state.leases.withToken(lease.token) !== undefined && this.#deadlines.at(lease.token) === undefined)
        this.#learnLease(lease);
    });
    await inParts(state.waiting.values(), ({ leaseId, expiresAt, queuedAt }) => {
      if (state.waiting.has(leaseId)) this.#learn('w', leaseId, expiresAt, queuedAt);
    });
    await inParts(state.quarantine.values(), ({ leaseId, until }) => {
      if (state.quarantine.has(leaseId)) this.#learn('q', leaseId, until, state.at);
    });
  }

  /** The backstop: deadlines that got lost on the way are set again. Of very many leases each sweep looks at some, in turn. */
  sweep(): void {
    const { leases } = this.#options.state;
    if (this.#keys.tokens.size >= leases.size) return;
    let left = LOOKED_AT;
    for (const lease of leases.after(this.#sweptTo)) {
      if (left-- === 0) return;
      if (this.#deadlines.at(lease.token) === undefined) this.#learnLease(lease);
      this.#sweptTo = lease.token;
    }
    this.#sweptTo = 0;
  }

  /** `now`: the monotonic clock, read where it is needed only. */
  follow(event: RecordedPoolEvent, own: boolean, now: () => number): void {
    switch (event.type) {
      case 'LeaseGranted':
        if (event.data.waitedMs !== null) this.#unmark('w', event.data.leaseId);
        this.#setExpiry(event.data.token, event.data, event.at, own, now());
        break;
      case 'LeaseReleased':
      case 'LeaseReclaimed':
        this.#deadlines.cancel(event.data.token);
        this.#unmark('n', event.data.leaseId);
        break;
      case 'LeasesRenewed':
        for (const renewal of event.data.renewals) this.#renewed(renewal, event.at, own, now());
        break;
      case 'RevocationNoticed':
        this.#mark('n', event.data.leaseId, own, event.data.endsAt, event.at, now());
        break;
      case 'QuarantineStarted':
        this.#mark('q', event.data.leaseId, own, event.data.until, event.at, now());
        break;
      case 'RequestQueued':
        this.#mark('w', event.data.leaseId, own, event.data.expiresAt, event.at, now());
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
  leftMs(token: number): number {
    const at = this.#deadlines.at(token);
    return at === undefined ? 0 : Math.max(0, at - this.#options.clock.monotonic());
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#deadlines.stop();
  }

  /** It may have ended in the same commit. */
  #renewed({ leaseId, ...term }: Term & { leaseId: string }, at: number, own: boolean, nowMs: number): void {
    const lease = this.#options.state.leases.get(leaseId);
    if (lease !== undefined) this.#setExpiry(lease.token, term, at, own, nowMs);
  }

  #setExpiry(token: number, { ttlMs, expiresAt }: Term, at: number, own: boolean, nowMs: number): void {
    this.#deadlines.schedule(token, nowMs + (own ? expiresAt - at : this.#learntMs(ttlMs, expiresAt)));
  }

  #learnLease(lease: LeaseRecord): void {
    const nowMs = this.#options.clock.monotonic();
    this.#deadlines.schedule(lease.token, nowMs + this.#learntMs(lease.ttlMs, lease.expiresAt));
    if (lease.noticeEndsAt !== null) this.#learn('n', lease.leaseId, lease.noticeEndsAt, lease.grantedAt);
  }

  /** At least a renewal interval, and then a drawn part of another one, since many are learnt at once. */
  #learntMs(ttlMs: number, expiresAt: number): number {
    const leftMs = expiresAt - this.#options.clock.now();
    const intervalMs = renewalIntervalMs(ttlMs);
    const boundedMs = leftMs >= intervalMs ? leftMs : intervalMs + this.#options.jitter() * intervalMs;
    return Math.min(boundedMs, ttlMs);
  }

  #learn(kind: Kind, leaseId: string, until: number, since: number): void {
    this.#mark(kind, leaseId, false, until, since, this.#options.clock.monotonic());
  }

  #mark(kind: Kind, leaseId: string, own: boolean, until: number, since: number, nowMs: number): void {
    const wholeMs = Math.max(0, until - since);
    const leftMs = own ? wholeMs : Math.min(wholeMs, Math.max(0, until - this.#options.clock.now()));
    this.#deadlines.schedule({ kind, leaseId }, nowMs + leftMs);
  }

  #unmark(kind: Kind, leaseId: string): void {
    if (this.#keys.marks[kind].size > 0) this.#deadlines.cancel({ kind, leaseId });
  }

  #due(keys: readonly Key[]): void {
    const byKind = { n: [] as string[], q: [] as string[], w: [] as string[] };
    const expired: { leaseId: string; expiresAt: number }[] = [];
    for (const key of keys) {
      if (typeof key === 'number') this.#expire(key, expired);
      else byKind[key.kind].push(key.leaseId);
    }
    const { submit } = this.#options;
    for (const leases of chunks(expired)) submit('ReclaimExpired', { leases });
    for (const leaseIds of chunks(byKind.n)) submit('EndNoticed', { leaseIds });
    for (const leaseIds of chunks(byKind.w)) submit('ExpireRequests', { leaseIds });
    for (const leaseIds of chunks(byKind.q)) submit('EndQuarantine', { leaseIds });
  }

  /** A renewal that is not committed yet moves the deadline when it is; if it never is, the look after it reclaims. */
  #expire(token: number, expired: { leaseId: string; expiresAt: number }[]): void {
    const { state, committedRevision, clock } = this.#options;
    const lease = state.leases.withToken(token);
    if (lease === undefined) return;
    if (lease.revision > committedRevision()) this.#deadlines.schedule(token, clock.monotonic() + LOOK_AGAIN_MS);
    else expired.push({ leaseId: lease.leaseId, expiresAt: lease.expiresAt });
  }
}

/** Lets the event loop go round in between. */
async function inParts<T>(items: Iterable<T>, act: (item: T) => void): Promise<void> {
  const slice = new Slice();
  for (const item of items) {
    act(item);
    if (slice.isOver) await slice.next();
  }
}

function* chunks<T>(items: readonly T[]): Iterable<readonly T[]> {
  for (let i = 0; i < items.length; i += CHUNK) yield items.slice(i, i + CHUNK);
}
