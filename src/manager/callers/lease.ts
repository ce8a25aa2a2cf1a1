import type { EndedLease, LeaseRecord } from '../../domain/state.ts';
import { leaseState } from '../../domain/views.ts';
import { isPoolError } from '../../model/errors.ts';
import { renewalIntervalMs } from '../../model/renewal.ts';
import type { Amounts, Requirements } from '../../model/values/amounts.ts';
import type { LeaseView } from '../../model/views.ts';

/** What a lease needs of the manager that granted it. */
export interface LeaseHome {
  release(lease: { readonly id: string; readonly token: number }): Promise<void>;
  renew(
    lease: { readonly id: string; readonly token: number },
    options?: { readonly ttlMs?: number },
  ): Promise<unknown>;
  /** As committed; undefined if it is not kept any more. */
  lookUp(leaseId: string): LeaseRecord | EndedLease | undefined;
  /** A signal that aborts on notice, at the lease's end, and shortly before it would expire. */
  watch(leaseId: string): AbortSignal;
}

/**
 * A share of the machine, held until it is released, expires or is reclaimed. What can change (`expiresAt`, `state`) is read
 * from the committed facts at each look. It does not renew by itself; `use` does.
 */
export class Lease implements AsyncDisposable {
  readonly #home: LeaseHome;
  readonly #granted: LeaseRecord;
  #signal: AbortSignal | undefined;

  constructor(home: LeaseHome, granted: LeaseRecord) {
    this.#home = home;
    this.#granted = granted;
  }

  get id(): string {
    return this.#granted.leaseId;
  }
  /** The caller's name for the task. */
  get requestId(): string {
    return this.#granted.request.id;
  }
  /** The fencing token: rises with every grant of the pool. */
  get token(): number {
    return this.#granted.token;
  }
  get tier(): string {
    return this.#granted.tier;
  }
  get owner(): string {
    return this.#granted.request.owner;
  }
  get priority(): string {
    return this.#granted.priority;
  }
  get type(): string {
    return this.#granted.type;
  }
  /** As asked for. */
  get requirements(): Requirements {
    return this.#granted.request.requirements;
  }
  /** As granted, base units. */
  get amounts(): Amounts {
    return this.#granted.amounts;
  }
  /** The part above the tier's nominal; null if there is none. */
  get borrowed(): Amounts | null {
    return this.#granted.borrowed;
  }
  /** Unix ms. */
  get grantedAt(): number {
    return this.#granted.grantedAt;
  }
  /** Unix ms; moves with each renewal. */
  get expiresAt(): number {
    return this.#record().expiresAt;
  }
  get ttlMs(): number {
    return this.#record().ttlMs;
  }
  /** How long after a grant or a renewal the next renewal is due. */
  get renewAfterMs(): number {
    return renewalIntervalMs(this.ttlMs);
  }
  get state(): LeaseView['state'] {
    const now = this.#home.lookUp(this.id);
    return now === undefined ? 'reclaimed' : leaseState(now);
  }
  /** Aborts when the lease is noticed or ends, and shortly before it would expire unrenewed. */
  get signal(): AbortSignal {
    this.#signal ??= this.#home.watch(this.id);
    return this.#signal;
  }

  /** Gives the capacity back. Rejects with FENCED if the lease was reclaimed before. */
  release(): Promise<void> {
    return this.#home.release(this);
  }

  /** Extends it by `ttlMs`, by default what it was granted for. Rejects with FENCED if it has ended. */
  async renew(options?: { readonly ttlMs?: number }): Promise<void> {
    await this.#home.renew(this, options);
  }

  /** As `release`; a lease that has ended already is no error here. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch (error) {
      if (!isPoolError(error) || (error.code !== 'FENCED' && error.code !== 'NOT_FOUND')) throw error;
    }
  }

  /** Plain fields, as the lease stands. */
  toJSON(): Omit<LeaseView, 'labels' | 'noticeEndsAt' | 'endedAt' | 'reason' | 'revision'> {
    const { id, requestId, token, tier, owner, priority, type, requirements, amounts, borrowed } = this;
    const { grantedAt, ttlMs, expiresAt, renewAfterMs, state } = this;
    return {
      id,
      requestId,
      token,
      tier,
      owner,
      priority,
      type,
      requirements,
      amounts,
      borrowed,
      grantedAt,
      ttlMs,
      expiresAt,
      renewAfterMs,
      state,
    };
  }

  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }

  #record(): LeaseRecord {
    const now = this.#home.lookUp(this.id);
    if (now === undefined) return this.#granted;
    return 'endedAt' in now ? now.lease : now;
  }
}
