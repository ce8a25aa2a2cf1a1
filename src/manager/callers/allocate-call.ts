import type { Answer } from '../../domain/decide/answer.ts';
import type { LeaseRecord, WaitingRecord } from '../../domain/state.ts';
import { type Call, newPromise } from '../../engine/call.ts';
import type { Shape } from '../../engine/shape-cache.ts';
import type { CommandOf } from '../../model/commands.ts';
import { PoolError } from '../../model/errors.ts';
import type { EventData } from '../../model/events.ts';
import type { Refusal } from '../../model/refusals.ts';
import { standsAlone } from '../../model/request.ts';

/** What a caller of an allocate gets for each way it can end. `refused` may throw what the promise is to reject with. */
export interface Presenter<T> {
  granted(lease: LeaseRecord, replayed: boolean): T;
  refused(refusal: Refusal): T;
  /** Present for callers that do not wait in person (`detached`). */
  queued?(request: WaitingRecord, replayed: boolean): T;
}

/** What an allocate needs of the manager while it runs. */
export interface AllocateDesk {
  /** The caller waits from here on until the lease is granted or the request ends. */
  wait(leaseId: string, call: AllocateCall<unknown>): void;
  /** The caller is gone: gives a lease back that nobody holds. */
  releaseOrphan(lease: LeaseRecord): void;
  /** The caller is gone: takes its request out of the queue. */
  cancelOrphan(leaseId: string): void;
}

/** An allocate, from the door to the lease. A caller that goes away leaves nothing behind, unless a key keeps its request. */
export class AllocateCall<T> implements Call {
  readonly command: CommandOf<'Allocate'>;
  readonly shape: Shape | undefined;
  readonly asked = true;
  readonly promise: Promise<T>;
  readonly #presenter: Presenter<T>;
  readonly #desk: AllocateDesk;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #gone = false;
  #waiting = false;
  #unlisten: (() => void) | undefined;

  constructor(
    command: CommandOf<'Allocate'>,
    shape: Shape | undefined,
    presenter: Presenter<T>,
    desk: AllocateDesk,
    signal: AbortSignal | undefined,
  ) {
    this.command = command;
    this.shape = shape;
    this.#presenter = presenter;
    this.#desk = desk;
    const { promise, resolve, reject } = newPromise<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    if (signal !== undefined) this.#listen(signal);
  }

  /** A request with a key, or a detached one, stands for itself: it is decided though its caller has gone. */
  get dropped(): boolean {
    return this.#gone && !standsAlone(this.command.data.request);
  }

  answered(answer: Answer): void {
    if (answer.kind === 'granted') this.granted(answer.lease, answer.replayed);
    else if (answer.kind === 'queued') this.#queued(answer.request, answer.replayed);
    else if (answer.kind === 'refused') this.refused(answer.refusal);
    else this.failed(new PoolError('INTERNAL', `an allocate was answered ${answer.kind}`));
  }

  granted(lease: LeaseRecord, replayed: boolean): void {
    if (this.dropped) {
      this.#desk.releaseOrphan(lease);
      return;
    }
    this.#unlisten?.();
    this.#resolve(this.#presenter.granted(lease, replayed));
  }

  refused(refusal: Refusal): void {
    this.#settle(() => this.#presenter.refused(refusal));
  }

  /** The request it waits with has ended without a lease. */
  ended(refusal: Refusal): void {
    this.refused(refusal);
  }

  /** The caller is told; what it asked for may still be decided, and is then given back. */
  failed(error: unknown): void {
    this.#gone = true;
    this.#unlisten?.();
    this.#reject(error);
  }

  /** The caller waits no more: it is told why, and its request goes unless it stands for itself. */
  leave(why: unknown): void {
    this.failed(why);
    if (this.#waiting && this.dropped) this.#desk.cancelOrphan(this.command.commandId);
  }

  #queued(request: WaitingRecord, replayed: boolean): void {
    const { detached } = this.command.data.request;
    const queued = this.#presenter.queued;
    if (this.dropped) this.#desk.cancelOrphan(request.leaseId);
    else if (detached && queued !== undefined) this.#settle(() => queued(request, replayed));
    else this.#wait(request.leaseId);
  }

  #wait(leaseId: string): void {
    this.#waiting = true;
    this.#desk.wait(leaseId, this as AllocateCall<unknown>);
  }

  #settle(present: () => T): void {
    this.#unlisten?.();
    try {
      this.#resolve(present());
    } catch (error) {
      this.#reject(error);
    }
  }

  #listen(signal: AbortSignal): void {
    const onAbort = () => this.leave(signal.reason);
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      this.#unlisten = () => signal.removeEventListener('abort', onAbort);
    }
  }
}

/** Why a request ended that waited, as the refusal its caller gets. */
export function cancelledRefusal(reason: EventData['RequestCancelled']['reason'], id: string, at: number): Refusal {
  const base = { decisionId: id, revision: at };
  if (reason === 'draining') return { ...base, code: 'DRAINING', message: 'the pool or the tier began to drain' };
  if (reason === 'neverFits')
    return { ...base, code: 'NEVER_FITS', message: 'the capacity or the configuration changed: it can never fit now' };
  return { ...base, code: 'CANCELLED', message: `the waiting request was cancelled (${reason})`, reason };
}

export const waitExpiredRefusal = (id: string, at: number): Refusal => ({
  decisionId: id,
  revision: at,
  code: 'WAIT_EXPIRED',
  message: 'the wait ended before there was room',
  retryAfterMs: 1_000,
});
