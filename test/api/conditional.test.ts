import { describe, expect, test } from 'vitest';
import type { CallOptions, SubmitOptions } from '../../src/manager/service.ts';
import { PoolError } from '../../src/model/errors.ts';
import { ask, expectProblem, serve } from './support/serve.ts';
import { LEASE, smallService } from './support/small-service.ts';

describe('conditional requests (RFC 9110, 13)', () => {
  test('a lease has its revision as ETag, and If-None-Match answers 304', async () => {
    const { url } = await serve(smallService());
    expect((await ask(url, 'GET', '/v1/leases/lease-1')).headers.get('etag')).toBe('"12"');
    for (const tag of ['"12"', 'W/"12"', '"3", "12"', '*']) {
      const reply = await ask(url, 'GET', '/v1/leases/lease-1', { headers: { 'if-none-match': tag } });
      expect(reply.status, tag).toBe(304);
      expect(reply.body).toBe('');
    }
    expect((await ask(url, 'GET', '/v1/leases/lease-1', { headers: { 'if-none-match': '"11"' } })).status).toBe(200);
  });

  test('If-Match that names another revision of the lease is 412, and nothing is done', async () => {
    const calls: string[] = [];
    const done = async (id: string) => {
      calls.push(id);
      return { lease: LEASE, replayed: false };
    };
    const { url } = await serve(smallService({ releaseLease: done, renewLease: done, revokeLease: done }));
    const verbs = { release: { token: 7 }, renew: { token: 7 }, revoke: { reason: 'r' } };
    for (const [verb, body] of Object.entries(verbs)) {
      const post = (tag: string) =>
        ask(url, 'POST', `/v1/leases/lease-1/${verb}`, { body, headers: { 'if-match': tag } });
      for (const tag of ['"11"', 'W/"12"', '"1", "2"']) expectProblem(await post(tag), 'REVISION_MISMATCH');
      expect(calls).toEqual([]);
      for (const tag of ['"12"', '"1", "12"', '*']) expect((await post(tag)).status).toBe(200);
      calls.length = 0;
    }
  });

  test('PATCH config needs If-Match, and hands the revision on with the change', async () => {
    const seen: unknown[] = [];
    const { config } = await smallService().getConfig();
    const patchConfig = async (patch: unknown, expected: number | undefined, options?: CallOptions) => {
      seen.push([patch, expected, options?.actor]);
      if (expected === 1) throw new PoolError('REVISION_MISMATCH', 'the current one is 2');
      return { config, hash: 'h', revision: 5 };
    };
    const { url } = await serve(smallService({ patchConfig }));
    expectProblem(await ask(url, 'PATCH', '/v1/config', { body: {} }), 'PRECONDITION_REQUIRED');
    const patch = (tag: string, type = 'application/json') =>
      ask(url, 'PATCH', '/v1/config', {
        body: { maxPoolSize: 5 },
        headers: { 'if-match': tag, 'x-actor': 'ann', 'content-type': type },
      });
    expectProblem(await patch('"1"'), 'REVISION_MISMATCH');
    expectProblem(await patch('"3", "4"'), 'REVISION_MISMATCH');
    expect((await patch('"2"')).headers.get('etag')).toBe('"5"');
    expect((await patch('"1", "2"', 'application/merge-patch+json')).status).toBe(200);
    expect((await patch('*')).status).toBe(200);
    const one = { maxPoolSize: 5 };
    expect(seen).toEqual([
      [one, 1, 'ann'],
      [one, 2, 'ann'],
      [one, 2, 'ann'],
      [one, undefined, 'ann'],
    ]);
  });
});

describe('keys, actors and preferences reach the pool', () => {
  test('a key in the header is the key of the request; quotes are taken off', async () => {
    const seen: unknown[] = [];
    const submit = async (request: unknown, options?: SubmitOptions) => {
      seen.push([
        (request as { idempotencyKey?: string }).idempotencyKey,
        options?.actor,
        options?.waitMs,
        options?.detached,
      ]);
      return { kind: 'granted', lease: LEASE, replayed: seen.length > 1 } as const;
    };
    const { url } = await serve(smallService({ submit }));
    const post = (headers: Record<string, string>, more: object = {}) =>
      ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 }, ...more }, headers });
    const first = await post({ 'idempotency-key': 'k-1', 'x-actor': 'ann' });
    expect(first.headers.get('idempotent-replayed')).toBe(null);
    expect(first.headers.get('location')).toBe('/v1/leases/lease-1');
    const second = await post({ 'idempotency-key': '"k-1"' }, { idempotencyKey: 'k-1' });
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    await post({ prefer: 'wait=3' }, { waitMs: 9 });
    await post({ prefer: 'handling=lenient, RESPOND-ASYNC; x=1, wait="5"' });
    expect(seen).toEqual([
      ['k-1', 'ann', undefined, undefined],
      ['k-1', 'http', undefined, undefined],
      [undefined, 'http', 3_000, undefined],
      [undefined, 'http', 5_000, true],
    ]);
  });

  test('the key of another verb is handed on with the call', async () => {
    const seen: unknown[] = [];
    const releaseLease = async (id: string, token: number, options?: CallOptions) => {
      seen.push([id, token, options]);
      return { lease: LEASE, replayed: true };
    };
    const { url } = await serve(smallService({ releaseLease }));
    const reply = await ask(url, 'POST', '/v1/leases/lease-1/release', {
      body: { token: 7 },
      headers: { 'idempotency-key': 'k' },
    });
    expect(seen).toEqual([['lease-1', 7, { actor: 'http', idempotencyKey: 'k' }]]);
    expect(reply.headers.get('idempotent-replayed')).toBe('true');
  });
});
