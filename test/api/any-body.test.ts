import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type RunningServer, startServer } from '../../src/api/server.ts';
import { createResourceDetector } from '../../src/detection/detector.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import { checkLog } from '../../src/testing/check-log.ts';
import { ask } from './support/serve.ts';

/** Bodies near a right one, and bodies that are anything at all. */
const wild = fc.jsonValue({ maxDepth: 5 });
const amount = fc.oneof(fc.double(), fc.constantFrom('1Gi', '50%', '', '-1', '1e308', '0'), wild);
/** Half surrogate pairs among them. */
const anyUnit = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  fc.constantFrom('\ud83d', '\ude00'),
);
const near = fc.record(
  {
    requirements: fc.oneof(
      fc.dictionary(fc.constantFrom('memory', 'cpu', 'gpu', '__proto__', 'constructor', 'A b'), amount),
      wild,
    ),
    id: fc.oneof(fc.string(), wild),
    owner: fc.oneof(fc.string({ unit: 'binary' }), wild),
    ttlMs: fc.oneof(fc.double(), wild),
    waitMs: fc.constantFrom(0, -0, 1e300, null, 'x'),
    labels: fc.oneof(fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), fc.string({ unit: anyUnit })), wild),
    deadline: fc.oneof(fc.string(), fc.double()),
    idempotencyKey: fc.constantFrom('a', 'b', 'c'),
  },
  { requiredKeys: [] },
);

describe('whatever is sent', () => {
  const manager = new ResourcePoolManager(createResourceDetector({ capacity: { memory: '4Ti', cpu: 1e6 } }));
  let server: RunningServer;
  beforeAll(async () => {
    await manager.ready();
    server = await startServer(manager, { port: 0 });
  });
  afterAll(async () => {
    await server.close();
    const { items, next } = await manager.pageEvents({}, { limit: 1000 });
    expect(next).toBe(null);
    checkLog(items);
    await manager.dispose();
  });

  test.prop([fc.oneof(near, wild)], { numRuns: 500 })(
    'an allocate is granted or refused or is wrong, never a bug',
    async (body) => {
      const { status } = await ask(server.url, 'POST', '/v1/leases', { text: JSON.stringify(body) ?? 'null' });
      expect([201, 400, 409, 422, 429]).toContain(status);
    },
  );

  test.prop([fc.string({ unit: 'binary' })], { numRuns: 200 })(
    'text that is no JSON is a problem too',
    async (text) => {
      const { status } = await ask(server.url, 'POST', '/v1/leases/lease-1/release', { text });
      expect(status).toBe(400);
    },
  );

  test.prop([fc.webQueryParameters()], { numRuns: 200 })('so is any query', async (query) => {
    for (const path of ['/v1/leases', '/v1/pool', '/v1/events'])
      expect([200, 400]).toContain((await ask(server.url, 'GET', `${path}?${query}`)).status);
  });
});
