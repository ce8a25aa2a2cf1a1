import { isPoolError, PoolError } from '../model/errors.ts';
import type { AllocationRequest } from '../model/request.ts';
import type { LeaseView } from '../model/views.ts';
import { type Call, type Http, pause } from './http.ts';

export interface Granted {
  readonly view: LeaseView;
  /** Monotonic ms at which the request left that was answered with the lease. */
  readonly sentAt: number;
  /** It was granted before that: how much of its TTL has passed is not known. */
  readonly older: boolean;
}

interface Queued {
  readonly requestId: string;
  readonly leaseId: string;
}

const POLL_MS = 500;
const CLEANUP_MS = 10_000;

/**
 * Asks for a lease under a key, the caller's or one made here, so that a request whose answer got lost is asked again
 * and never granted twice. A key also keeps the request waiting when the connection goes: a caller that aborts
 * therefore takes it back.
 */
export async function allocateOver(http: Http, request: AllocationRequest): Promise<Granted> {
  const { signal, ...fields } = request;
  signal?.throwIfAborted();
  const body = {
    ...fields,
    id: fields.id ?? crypto.randomUUID(),
    idempotencyKey: fields.idempotencyKey ?? crypto.randomUUID(),
  };
  const call: Call = { method: 'POST', path: '/v1/leases', body, signal };
  try {
    const sentAt = performance.now();
    const answer = await http.call<LeaseView | Queued>(call);
    if (answer.status === 202) return await untilGranted(http, answer.body as Queued, signal);
    return { view: answer.body as LeaseView, sentAt, older: answer.headers.has('idempotent-replayed') };
  } catch (error) {
    if (signal?.aborted !== true) throw error;
    await takeBack(http, call, body.id).catch(() => {}); // what is left of it ends by its wait or its TTL
    throw signal.reason;
  }
}

/** A repeat finds its request waiting: it is asked after until it is a lease, or no more. */
async function untilGranted(http: Http, { requestId, leaseId }: Queued, signal?: AbortSignal): Promise<Granted> {
  for (;;) {
    await pause(POLL_MS, signal);
    const sentAt = performance.now();
    const lease = await found(http.call<LeaseView>({ path: `/v1/leases/${leaseId}`, signal }));
    if (lease !== undefined) return { view: lease.body, sentAt, older: true };
    const waiting = await found(http.call({ path: `/v1/requests/${requestId}`, signal }));
    if (waiting !== undefined) continue;
    const late = await found(http.call<LeaseView>({ path: `/v1/leases/${leaseId}`, signal }));
    if (late !== undefined) return { view: late.body, sentAt, older: true };
    throw new PoolError('WAIT_EXPIRED', `request ${requestId} waits no more and was not granted`);
  }
}

const found = <T>(call: Promise<T>): Promise<T | undefined> =>
  call.catch((error: unknown) => {
    if (isPoolError(error) && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });

/** Cancels what waits; if nothing does, asks once more under the same key, and releases what was granted meanwhile. */
async function takeBack(http: Http, call: Call, requestId: string): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_MS);
  const cancel = () =>
    found(http.call({ method: 'DELETE', path: `/v1/requests/${encodeURIComponent(requestId)}`, signal }));
  if ((await cancel()) !== undefined) return;
  const again = await http.call<LeaseView>({ ...call, headers: { prefer: 'respond-async' }, signal });
  if (again.status === 202) await cancel();
  else
    await http.call({
      method: 'POST',
      path: `/v1/leases/${again.body.id}/release`,
      body: { token: again.body.token },
      signal,
    });
}
