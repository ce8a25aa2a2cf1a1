import { isPoolError, PoolError } from '../model/errors.ts';
import type { LeaseView } from '../model/views.ts';

/** A lease that its holder keeps: renewed by itself until it is released, lost, or the client closes. */
export interface ClientLease extends LeaseView {
  /** Aborts when the lease is noticed, lost, or about to expire; its reason is a PoolError. */
  readonly signal: AbortSignal;
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
  #deadline = 0;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `sentAt`: monotonic ms at which the request left. */
  constructor(view: LeaseView, sentAt: number, calls: LeaseCalls) {
    this.#view = view;
    this.#ttlMs = view.ttlMs;
    this.#calls = calls;
    const release = () => this.#release();
    this.lease = {
      ...view,
      signal: this.#over.signal,
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

  #arm(view: LeaseView, sentAt: number): void {
    this.#view = view;
    Object.assign(this.lease, view);
    if (this.#stopped) return;
    this.#deadline = sentAt + view.ttlMs - Math.min(MAX_MARGIN_MS, view.ttlMs * MARGIN_RATIO);
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#lose(), Math.min(MAX_TIMER_MS, this.#deadline - performance.now()));
    unref(this.#expiry);
    if (view.noticeEndsAt === null) this.#schedule(sentAt + Math.min(DAY_MS, view.renewAfterMs) - performance.now());
    else this.#end('the lease is to be revoked', view);
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
      if (isPoolError(error) && !error.retryable) this.#lose(error);
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

  #lose(cause?: unknown): void {
    this.#end('the lease could not be renewed and is over for its holder', this.#view, cause);
    this.stop();
  }

  #end(message: string, { id, reason }: LeaseView, cause?: unknown): void {
    const error = new PoolError('FENCED', message, { cause, details: { leaseId: id, reason } });
    this.#over.abort(isPoolError(cause) ? cause : error);
  }
}
