import { describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import type { PoolService, SubmitOptions, Submitted } from '../../src/manager/service.ts';
import { isPoolError, PoolError } from '../../src/model/errors.ts';
import type { AllocationRequest } from '../../src/model/request.ts';
import type { LeaseView } from '../../src/model/views.ts';
import { serve } from '../api/support/serve.ts';
import { SmallLog } from '../api/support/small-log.ts';
import { LEASE, REQUEST, smallService } from '../api/support/small-service.ts';

const asked: AllocationRequest = { requirements: { memory: 10 } };
const SHORT: LeaseView = { ...LEASE, ttlMs: 600, renewAfterMs: 150 };
const granted = (lease: LeaseView = LEASE): Submitted => ({ kind: 'granted', lease, replayed: false });
const codeOf = (error: unknown) => (isPoolError(error) ? error.code : error);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A network that carries requests, and loses the answers to the first `lost` of them. */
function lossy(lost: number): typeof fetch {
  let left = lost;
  return async (input, init) => {
    const response = await fetch(input, init);
    if (left <= 0) return response;
    left -= 1;
    await response.body?.cancel();
    throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
  };
}

describe('calls', () => {
  test('a problem becomes the error of the library', async () => {
    const refusal = {
      code: 'EXHAUSTED',
      message: 'no room',
      decisionId: 'd',
      revision: 4,
      retryAfterMs: 900,
      shortfall: { memory: 1 },
    } as const;
    const { url } = await serve(smallService({ submit: async () => ({ kind: 'refused', refusal }) }));
    const client = createClient({ url });
    const error = await client.allocate(asked).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PoolError);
    expect(error).toMatchObject({
      code: 'EXHAUSTED',
      message: 'no room',
      retryable: true,
      outcome: 'none',
      details: { retryAfterMs: 900 },
    });
    expect(await client.tryAllocate(asked)).toEqual({ refused: refusal });
    const judging = createClient({ url: (await serve(smallService())).url });
    const wrong = await judging.tryAllocate({ requirements: { memory: -1 } }).catch((thrown: unknown) => thrown);
    expect(wrong).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { errors: [expect.objectContaining({ path: 'requirements.memory' })] },
    });
  });

  test('an allocate whose answer was lost is asked again under the same key and name', async () => {
    const seen: AllocationRequest[] = [];
    const submit = async (request: unknown): Promise<Submitted> => {
      seen.push(request as AllocationRequest);
      return granted();
    };
    const { url } = await serve(smallService({ submit }));
    await createClient({ url, fetch: lossy(2) }).allocateOnce(asked);
    expect(seen).toHaveLength(3);
    expect(seen[0]!.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    await createClient({ url }).allocateOnce({ ...asked, id: 'mine', idempotencyKey: 'my-key' });
    expect(seen[3]).toMatchObject({ id: 'mine', idempotencyKey: 'my-key' });
  });

  test('an unknown outcome is repeated, a refusal is not, and there is an end to it', async () => {
    let calls = 0;
    const submit = async (): Promise<Submitted> => {
      calls += 1;
      throw new PoolError('OUTCOME_UNKNOWN', 'perhaps');
    };
    const { url } = await serve(
      smallService({ submit, setBreaker: () => Promise.reject(new PoolError('LOG_UNAVAILABLE', 'no')) }),
    );
    const client = createClient({ url, retries: 2 });
    expect(codeOf(await client.allocate(asked).catch((thrown: unknown) => thrown))).toBe('OUTCOME_UNKNOWN');
    expect(calls).toBe(3);
    expect(codeOf(await client.setBreaker('closed').catch((thrown: unknown) => thrown))).toBe('LOG_UNAVAILABLE');
    const gone = await serve(smallService());
    await gone.close();
    const nobody = createClient({ url: gone.url, retries: 1 });
    const error = await nobody.getPool().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', message: expect.stringContaining('ECONNREFUSED') });
  });

  test('a doubt is not ended by a repeat that was not even decided, only by one that was', async () => {
    const answers: unknown[] = [];
    const submit = async (): Promise<Submitted> => {
      const answer = answers.shift();
      if (answer === undefined) return granted();
      throw answer;
    };
    const { url } = await serve(smallService({ submit }));
    const client = createClient({ url, retries: 2 });
    const [unknown, away] = [new PoolError('OUTCOME_UNKNOWN', 'perhaps'), new PoolError('LOG_UNAVAILABLE', 'no')];
    answers.push(unknown, away, away);
    expect(codeOf(await client.allocate(asked).catch((thrown: unknown) => thrown))).toBe('OUTCOME_UNKNOWN');
    answers.push(unknown, away);
    expect((await client.allocateOnce(asked)).id).toBe(LEASE.id);
    answers.push(away);
    expect(codeOf(await client.allocate(asked).catch((thrown: unknown) => thrown))).toBe('LOG_UNAVAILABLE');
  });

  test('every verb reaches its route', async () => {
    const seen: unknown[] = [];
    const note =
      <T>(name: string, answer: T) =>
      async (...args: unknown[]): Promise<T> => {
        seen.push([name, ...args.filter((arg) => typeof arg !== 'object')]);
        return answer;
      };
    const small = smallService();
    const service: PoolService = {
      ...small,
      releaseLease: note('release', { lease: LEASE, replayed: false }),
      renewLease: note('renew', { lease: LEASE, replayed: false }),
      revokeLease: note('revoke', { lease: LEASE, replayed: false }),
      cancelRequest: note('cancel', REQUEST),
      cordonTier: note('cordon', await small.cordonTier('x')),
      uncordonTier: note('uncordon', await small.cordonTier('x')),
      drainTier: note('drain', await small.cordonTier('x')),
      setBreaker: note('breaker', { mode: 'disabled', until: null }),
    };
    const { url } = await serve(service);
    const client = createClient({ url, actor: 'ann' });
    await client.release({ id: 'l', token: 3 });
    await client.renew({ id: 'l', token: 3 });
    await client.renew({ id: 'l', token: 3 }, { ttlMs: 9 });
    await client.revoke('l', { reason: 'because', graceMs: 5 });
    await client.cancel('r');
    await client.cordon('t');
    await client.uncordon('t');
    await client.drainTier('t', { deadlineMs: 7 });
    expect(await client.setBreaker('disabled')).toEqual({ mode: 'disabled', until: null });
    expect(seen).toEqual([
      ['release', 'l', 3],
      ['renew', 'l', 3, undefined],
      ['renew', 'l', 3, 9],
      ['revoke', 'l', 'because', 5],
      ['cancel', 'r'],
      ['cordon', 't'],
      ['uncordon', 't'],
      ['drain', 't', 7],
      ['breaker', 'disabled'],
    ]);
    const { config, revision } = await client.getConfig();
    expect([config, revision]).toEqual([(await small.getConfig()).config, 2]);
    expect((await client.configure({ maxPoolSize: 5 }, { ifRevision: 2 })).revision).toBe(3);
    expect(await client.getPool({ revision: 3 })).toEqual(await small.getPool());
    expect(await client.getLease('lease-1')).toEqual(LEASE);
    expect((await client.listLeases({ state: 'active', limit: 5 })).items).toEqual([LEASE]);
    expect(await client.listRequests()).toEqual([REQUEST]);
    expect(await client.getRequest('task-2')).toEqual(REQUEST);
    expect(await client.getMetrics()).toEqual(await small.getMetrics());
    expect(await client.getUtilization()).toEqual(await small.getUtilization());
    expect((await client.reader.pageEvents({ from: 0, types: ['LeaseReleased'] }, { limit: 2 })).items).toHaveLength(2);
  });
});

describe('a lease that the client holds', () => {
  test('is renewed by itself until it is released', async () => {
    let renewals = 0;
    let releases = 0;
    const renewLease = async (_id: string, _token: number, ttlMs: number | undefined) => {
      renewals += 1;
      expect(ttlMs).toBe(SHORT.ttlMs);
      return { lease: { ...SHORT, expiresAt: SHORT.expiresAt + renewals }, replayed: false };
    };
    const releaseLease = async () => {
      releases += 1;
      return { lease: { ...SHORT, state: 'released' } as const, replayed: false };
    };
    const { url } = await serve(smallService({ submit: async () => granted(SHORT), renewLease, releaseLease }));
    const lease = await createClient({ url }).allocate(asked);
    await expect.poll(() => renewals, { timeout: 5_000 }).toBeGreaterThan(6);
    expect(lease.signal.aborted).toBe(false);
    expect(lease.expiresAt).toBeGreaterThan(SHORT.expiresAt);
    expect((await lease.release()).state).toBe('released');
    const before = renewals;
    await sleep(400);
    expect(renewals).toBe(before);
    expect(releases).toBe(1);
  });

  test('tells its holder before the server ends it, when nobody can be reached', async () => {
    const failing = () => Promise.reject(new PoolError('LOG_UNAVAILABLE', 'no'));
    const { url } = await serve(smallService({ submit: async () => granted(SHORT), renewLease: failing }));
    const asking = performance.now();
    const lease = await createClient({ url }).allocate(asked);
    const answered = performance.now();
    await new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
    const now = performance.now();
    expect(now - asking).toBeGreaterThan(SHORT.ttlMs * 0.8);
    expect(now).toBeLessThan(answered + SHORT.ttlMs);
  });

  test('tells its holder at once when it is fenced, and when it is noticed', async () => {
    const fenced = smallService({
      submit: async () => granted(SHORT),
      renewLease: () => Promise.reject(new PoolError('FENCED', 'reclaimed', { details: { reason: 'expired' } })),
    });
    const noticed = smallService({
      submit: async () => granted(SHORT),
      renewLease: async () => ({ lease: { ...SHORT, noticeEndsAt: 5, reason: 'revoked' }, replayed: false }),
    });
    for (const service of [fenced, noticed]) {
      const { url } = await serve(service);
      const lease = await createClient({ url }).allocate(asked);
      await expect.poll(() => lease.signal.aborted).toBe(true);
      expect(codeOf(lease.signal.reason)).toBe('FENCED');
    }
  });

  test('use releases it whatever happens', async () => {
    const released: unknown[] = [];
    const releaseLease = async (id: string, token: number) => {
      released.push([id, token]);
      return { lease: LEASE, replayed: false };
    };
    const { url } = await serve(smallService({ releaseLease }));
    const client = createClient({ url });
    expect(await client.use(asked, async (lease) => lease.amounts)).toEqual(LEASE.amounts);
    await expect(client.use(asked, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    {
      await using lease = await client.allocate(asked);
      expect(lease.id).toBe(LEASE.id);
    }
    expect(released).toEqual([
      [LEASE.id, LEASE.token],
      [LEASE.id, LEASE.token],
      [LEASE.id, LEASE.token],
    ]);
  });
});

describe('a wait', () => {
  test('that its caller aborts is taken back', async () => {
    const cancelled: string[] = [];
    const submit = (_request: unknown, options: SubmitOptions = {}): Promise<Submitted> =>
      new Promise((_resolve, reject) =>
        options.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
      );
    const cancelRequest = async (id: string) => {
      cancelled.push(id);
      return REQUEST;
    };
    const { url } = await serve(smallService({ submit, cancelRequest }));
    const caller = new AbortController();
    const asking = createClient({ url }).allocate({ ...asked, id: 'mine', waitMs: 60_000, signal: caller.signal });
    setTimeout(() => caller.abort(new Error('enough')), 50);
    await expect(asking).rejects.toThrow('enough');
    expect(cancelled).toEqual(['mine']);
  });

  test('that was granted while its caller aborted is released', async () => {
    const released: string[] = [];
    let calls = 0;
    const submit = (_request: unknown, options: SubmitOptions = {}): Promise<Submitted> => {
      calls += 1;
      if (calls > 1) return Promise.resolve(granted());
      return new Promise((_resolve, reject) =>
        options.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
      );
    };
    const cancelRequest = () => Promise.reject(new PoolError('NOT_FOUND', 'no such request'));
    const releaseLease = async (id: string) => {
      released.push(id);
      return { lease: LEASE, replayed: false };
    };
    const { url } = await serve(smallService({ submit, cancelRequest, releaseLease }));
    const signal = AbortSignal.timeout(50);
    await expect(createClient({ url }).allocate({ ...asked, waitMs: 60_000, signal })).rejects.toThrow();
    expect(released).toEqual([LEASE.id]);
  });

  test('that a repeat finds still waiting goes on until it is granted', async () => {
    let asks = 0;
    const getLease = async (id: string) => {
      asks += 1;
      if (asks < 2) throw new PoolError('NOT_FOUND', `no lease ${id}`);
      return { ...LEASE, id };
    };
    const { url } = await serve(
      smallService({ submit: async () => ({ kind: 'queued', request: REQUEST, replayed: true }), getLease }),
    );
    expect((await createClient({ url }).allocateOnce({ ...asked, waitMs: 60_000 })).id).toBe(REQUEST.leaseId);
  });
});

describe('events', () => {
  test('come without gap or duplicate over any number of connections and servers', async () => {
    const log = new SmallLog();
    const service = smallService({ followEvents: (filter, signal) => log.follow(filter, signal) });
    log.append(10);
    let server = await serve(service);
    const port = Number(new URL(server.url).port);
    const client = createClient({ url: server.url });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const event of client.events({ from: 3 })) seen.push(event.revision);
    })();
    for (let round = 1; round <= 4; round += 1) {
      await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(log.events.length - 3);
      const closing = server.close();
      log.append(5);
      await closing;
      server = await serve(service, { port });
    }
    log.append(1);
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(log.events.slice(3).map(({ revision }) => revision));
    await client.close();
    await reading;
    await expect.poll(() => log.following).toBe(0);
  });

  test('end at to, at abort, and with an error that no repeat would mend', async () => {
    const log = new SmallLog();
    log.append(10);
    const { url } = await serve(smallService({ followEvents: (filter, signal) => log.follow(filter, signal) }));
    const client = createClient({ url });
    const revisions: number[] = [];
    for await (const event of client.events({ from: 2, filter: { to: 4 } })) revisions.push(event.revision);
    expect(revisions).toEqual([2, 3, 4]);
    const marks: string[] = [];
    const abort = new AbortController();
    for await (const item of client.reader.followEvents({ from: 8 }, abort.signal)) {
      marks.push('event' in item ? String(item.event.revision) : 'caughtUp');
      if ('caughtUp' in item) abort.abort();
    }
    expect(marks).toEqual(['8', '9', 'caughtUp']);
    const wrong = (async () => {
      for await (const _ of client.events({ filter: { types: ['Nothing'] } }));
    })();
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
