import { isPoolError, PoolError } from '../model/errors.ts';
import type { LeaseView } from '../model/views.ts';

/**
 * A lease that its holder keeps: renewed by itself until it is released, lost, or the client closes. A process stays up as
 * long as it holds one.
 */
export interface ClientLease extends LeaseView {
  /** Aborts when the lease is noticed, lost, or about to expire; its reason is a PoolError. */
  readonly signal: AbortSignal;
  /** How long it is still valid for certain if nothing is heard of the server any more, ms. */
  remainingMs(): number;
  /** Renews now; `ttlMs` also for the renewals to come. */
  renew(options?: { readonly ttlMs?: number }): Promise<LeaseView>;
  release(): Promise<LeaseView>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How the keeper reaches the service. */
export interface LeaseCalls {
  readonly renew: (lease: LeaseView, ttlMs: number) => Promise<LeaseView>;
  readonly release: (lease: LeaseView) => Promise<LeaseView>;
  /** Called once, when the lease is kept no longer. */
  readonly ended: (keeper: Keeper) => void;
}

const RETRY_MS = 200;
/** The holder stops this share of the TTL before the server would, but no more than MAX_MARGIN_MS. */
const MARGIN_RATIO = 0.1;
const MAX_MARGIN_MS = 2_000;

const DAY_MS = 86_400_000;
/** The longest that a timer can wait; a lease with a longer TTL is renewed daily, long before. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const unref = (timer: unknown): void => (timer as { unref?: () => void }).unref?.();

/**
 * Renews a lease and knows when it is over. The TTL counts from the sending of the request that granted or renewed it,
 * on this process's monotonic clock: the server's clock starts later, so the holder always stops first.
 */
export class Keeper {
  readonly lease: ClientLease;
  readonly #calls: LeaseCalls;
  readonly #over = new AbortController();
  #view: LeaseView;
  #ttlMs: number;
  /** Monotonic ms at which the lease ends at the earliest, unless it is renewed. */
  #endsAtMs = 0;
  /** One instant on two clocks: the end that the last grant or renewal gave, in Unix ms of the server and monotonic ms here. */
  #anchor = { server: 0, hereMs: 0 };
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `sentAt`: monotonic ms at which the request left that granted or renewed it as `view` has it. */
  constructor(view: LeaseView, sentAt: number, calls: LeaseCalls) {
    this.#view = view;
    this.#ttlMs = view.ttlMs;
    this.#calls = calls;
    const release = () => this.#release();
    this.lease = {
      ...view,
      signal: this.#over.signal,
      remainingMs: () => Math.max(0, this.#endsAtMs - performance.now()),
      renew: (options) => this.#renewNow(options?.ttlMs),
      release,
      [Symbol.asyncDispose]: async () => {
        await release();
      },
    };
    this.#arm(view, sentAt);
  }

  /** Renews no more; the lease runs out by itself unless it is released. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#renewal);
    clearTimeout(this.#expiry);
    this.#calls.ended(this);
  }

  /** It is to end at `endsAt` of the server's clock: it is renewed no more. */
  noticed(reason: string, endsAt: number): void {
    Object.assign(this.lease, { noticeEndsAt: endsAt });
    this.#view = { ...this.#view, noticeEndsAt: endsAt };
    clearTimeout(this.#renewal);
    const { server, hereMs } = this.#anchor;
    this.#expireAt(Math.min(hereMs, hereMs - server + endsAt));
    this.#end('the lease is to end', { reason, noticeEndsAt: endsAt });
  }

  /** It was reclaimed. */
  lost(reason: string, cause?: unknown): void {
    this.#endsAtMs = performance.now();
    this.#end('the lease was reclaimed', { reason }, cause);
    this.stop();
  }

  #arm(view: LeaseView, sentAt: number): void {
    this.#view = view;
    Object.assign(this.lease, view);
    if (this.#stopped) return;
    if (view.noticeEndsAt !== null) return void this.noticed('revoked', view.noticeEndsAt);
    this.#anchor = { server: view.expiresAt, hereMs: sentAt + view.ttlMs };
    this.#expireAt(this.#anchor.hereMs);
    this.#schedule(sentAt + Math.min(DAY_MS, view.renewAfterMs) - performance.now());
  }

  #expireAt(endsAtMs: number): void {
    this.#endsAtMs = endsAtMs;
    clearTimeout(this.#expiry);
    const leftMs = this.#deadline - performance.now();
    this.#expiry = setTimeout(() => this.#runOut(), Math.min(MAX_TIMER_MS, leftMs));
    unref(this.#expiry);
  }

  /** When the holder must hear of the end: a margin before it. */
  get #deadline(): number {
    return this.#endsAtMs - Math.min(MAX_MARGIN_MS, this.#ttlMs * MARGIN_RATIO);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => void this.#renewByItself(), Math.max(0, delayMs));
    unref(this.#renewal);
  }

  async #renewByItself(): Promise<void> {
    try {
      await this.#renewNow();
    } catch (error) {
      if (this.#stopped) return;
      if (isPoolError(error) && !error.retryable) this.lost(String(error.details['reason'] ?? error.code), error);
      else if (performance.now() < this.#deadline) this.#schedule(RETRY_MS);
    }
  }

  async #renewNow(ttlMs?: number): Promise<LeaseView> {
    this.#ttlMs = ttlMs ?? this.#ttlMs;
    const sentAt = performance.now();
    const view = await this.#calls.renew(this.#view, this.#ttlMs);
    this.#arm(view, sentAt);
    return view;
  }

  #release(): Promise<LeaseView> {
    this.stop();
    return this.#calls.release(this.#view);
  }

  #runOut(): void {
    this.#end('the lease could not be renewed and is over for its holder', { reason: 'expired' });
    this.stop();
  }

  #end(message: string, details: Readonly<Record<string, unknown>>, cause?: unknown): void {
    const error = new PoolError('FENCED', message, { cause, details: { leaseId: this.#view.id, ...details } });
    this.#over.abort(isPoolError(cause) ? cause : error);
  }
}
