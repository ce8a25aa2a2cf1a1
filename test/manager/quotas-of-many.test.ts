import { expect, test } from 'vitest';
import { MAX_CHANGED_QUOTAS } from '../../src/model/config/resolve-config.ts';
import { rejection, world } from './fixture.ts';

const quotasOf = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`owner-${i}`, { memory: 1 }]));

test('a change carries the quotas of so many owners, and no more; a start carries any number, and a change of anything else keeps them', async () => {
  const { manager } = world({ config: { quotas: quotasOf(MAX_CHANGED_QUOTAS + 1) } });
  await manager.ready();
  await manager.configure({ cleanupIntervalMs: 12_345 });
  expect(Object.keys((await manager.getConfig()).config.quotas)).toHaveLength(MAX_CHANGED_QUOTAS + 1);
  const refused = await rejection(manager.configure({ quotas: quotasOf(MAX_CHANGED_QUOTAS + 1) }));
  expect(refused).toMatchObject({ code: 'INVALID_CONFIG', details: { errors: [{ path: 'quotas' }] } });
  await manager.configure({ quotas: quotasOf(MAX_CHANGED_QUOTAS) });
  expect(Object.keys((await manager.getConfig()).config.quotas)).toHaveLength(MAX_CHANGED_QUOTAS);
  await manager.dispose();
});
