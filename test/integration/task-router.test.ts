import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { createTaskRouter } from '../../src/integration/task-router.ts';
import type { Node, Task, TaskRouter } from '../../src/model/interfaces.ts';

const MIB = 1024 ** 2;

/** A node of 1000 MiB and 10 cores, of which `free` shares are available. */
function node(id: string, free: { memory: number; cpu: number }, more: Partial<Node> = {}): Node {
  const capacity = { memory: 1000 * MIB, cpu: 10_000 };
  const available = { memory: Math.round(free.memory * capacity.memory), cpu: Math.round(free.cpu * capacity.cpu) };
  return { id, healthy: true, labels: {}, capacity, available, ...more };
}

const task = (requirements: Task['requirements'], id = 't'): Task => ({ id, requirements });
const route = async (nodes: Node[], asked: Task) => (await createTaskRouter({ nodes }).routeTask(asked)).id;

describe('routing', () => {
  test('the node whose fullest dimension is the least full takes the task', async () => {
    const nodes = [node('a', { memory: 0.9, cpu: 0.2 }), node('b', { memory: 0.5, cpu: 0.5 })];
    expect(await route(nodes, task({ memory: 10 }))).toBe('b');
  });

  test('judged with the task on it: a large node is less filled by the same task than a small one', async () => {
    const small = node('a', { memory: 1, cpu: 1 });
    const large = node(
      'b',
      { memory: 0, cpu: 0 },
      {
        capacity: { memory: 100_000 * MIB, cpu: 10_000 },
        available: { memory: 90_000 * MIB, cpu: 10_000 },
      },
    );
    expect(await route([small, large], task({ memory: 500 }))).toBe('b');
  });

  test('among equals the first id, whatever the order given', async () => {
    const [a, b] = [node('a', { memory: 0.5, cpu: 0.5 }), node('b', { memory: 0.5, cpu: 0.5 })];
    expect([await route([a, b], task({ cpu: 10 })), await route([b, a], task({ cpu: 10 }))]).toEqual(['a', 'a']);
  });

  test('an unhealthy node, or one without room or without the dimension, is passed over', async () => {
    const nodes = [
      node('sick', { memory: 1, cpu: 1 }, { healthy: false }),
      node('full', { memory: 0.01, cpu: 1 }),
      node('fits', { memory: 0.1, cpu: 0.1 }),
    ];
    expect(await route(nodes, task({ memory: 50 }))).toBe('fits');
    const gpu = node('gpu', { memory: 0.1, cpu: 0.1 }, { capacity: { gpu: 1000 }, available: { gpu: 1000 } });
    expect(await route([...nodes, gpu], task({ gpu: 1 }))).toBe('gpu');
  });

  test('the local pool is asked as it stands at each task', async () => {
    let free = 1;
    const router = createTaskRouter({
      nodes: async () => [node('remote', { memory: 0.5, cpu: 0.5 })],
      localPool: () => node('local', { memory: free, cpu: free }),
    });
    expect((await router.routeTask(task({ memory: 10 }))).id).toBe('local');
    free = 0.2;
    expect((await router.routeTask(task({ memory: 10 }))).id).toBe('remote');
  });

  property.prop([
    fc.array(
      fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()),
    ),
    fc.integer({ min: 1, max: 1200 }),
  ])('the chosen node is healthy and fits; none is chosen only if none does', async (shapes, mib) => {
    const nodes = shapes.map(([memory, cpu, healthy], index) => node(`n${index}`, { memory, cpu }, { healthy }));
    const usable = nodes
      .filter((each) => each.healthy && each.available['memory']! >= mib * MIB)
      .map((each) => each.id);
    const chosen = await route(nodes, task({ memory: mib })).catch((error) => error.code as string);
    expect(usable.length > 0 ? usable : ['EXHAUSTED', 'NEVER_FITS']).toContain(chosen);
  });
});

describe('refusal', () => {
  const busy = [node('a', { memory: 0.1, cpu: 1 }), node('b', { memory: 0.3, cpu: 1 })];

  test('no room now: EXHAUSTED with what the nearest node lacks', async () => {
    await expect(route(busy, task({ memory: 400, cpu: 100 }))).rejects.toMatchObject({
      code: 'EXHAUSTED',
      retryable: true,
      details: { shortfall: { memory: 100 * MIB } },
    });
  });

  test('larger than every node: NEVER_FITS', async () => {
    await expect(route(busy, task({ memory: 1200 }))).rejects.toMatchObject({
      code: 'NEVER_FITS',
      details: { shortfall: { memory: 200 * MIB } },
    });
  });

  test('no healthy node may change: EXHAUSTED', async () => {
    const nodes = [node('a', { memory: 1, cpu: 1 }, { healthy: false })];
    await expect(route(nodes, task({ memory: 5000 }))).rejects.toMatchObject({ code: 'EXHAUSTED' });
  });

  test.each<[string, Task, RegExp]>([
    ['a bad amount', task({ memory: -1 }), /requirements.memory: -1/],
    ['nothing asked for', task({ memory: 0 }), /at least one amount above zero/],
    ['a bad id', task({ memory: 1 }, 'no spaces'), /id: "no spaces"/],
    ['a type that is not required', { ...task({ memory: 1 }), type: 'gpu' }, /type: "gpu"/],
  ])('%s is INVALID_REQUEST', async (_, asked, message) => {
    await expect(route(busy, asked)).rejects.toThrow(message);
    await expect(route(busy, asked)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  test('a router without nodes is refused', () => {
    expect(() => createTaskRouter({})).toThrow(/nodes: a missing value/);
  });
});

describe('requirements', () => {
  const router = createTaskRouter({ nodes: [] });

  test('a task becomes a request with the same fields and no others', () => {
    const asked: Task = {
      id: 't',
      requirements: { cpu: 10 },
      type: 'cpu',
      priority: 'high',
      owner: 'o',
      labels: { a: 'b' },
    };
    expect(router.getResourceRequirements({ ...asked, secret: 1 } as Task)).toEqual(asked);
    expect(router.getResourceRequirements(task({ cpu: 10 }))).toEqual({ id: 't', requirements: { cpu: 10 } });
  });

  test('validateResources compares with what is free, to the byte', () => {
    const exact = node('a', { memory: 0.5, cpu: 1 });
    expect(router.validateResources(exact, { requirements: { memory: 500 } })).toBe(true);
    expect(router.validateResources(exact, { requirements: { memory: `${500 * MIB + 1}B` } })).toBe(false);
    expect(router.validateResources({ ...exact, healthy: false }, { requirements: { memory: 1 } })).toBe(false);
  });
});

test('a user-written router stands in for the default one', async () => {
  const base = createTaskRouter({ nodes: [] });
  const sticky: TaskRouter = {
    routeTask: async () => node('mine', { memory: 1, cpu: 1 }),
    getResourceRequirements: (asked) => ({ ...base.getResourceRequirements(asked), ttlMs: 1000 }),
    validateResources: (where, request) => where.id === 'mine' && base.validateResources(where, request),
  };
  const request = sticky.getResourceRequirements(task({ memory: 1 }));
  expect(sticky.validateResources(await sticky.routeTask(task({ memory: 1 })), request)).toBe(true);
});
