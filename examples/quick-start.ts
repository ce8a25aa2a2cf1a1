import {
  createResourceDetector,
  DEFAULT_POOL_CONFIG,
  Priority,
  ResourcePoolManager,
  ResourceType,
} from 'resource-pool-manager';

const detector = createResourceDetector();
const poolManager = new ResourcePoolManager(detector, DEFAULT_POOL_CONFIG);
const resource = await poolManager.allocate({
  id: 'task-1',
  type: ResourceType.Memory,
  priority: Priority.High,
  requirements: { memory: 1000, cpu: 10 },
});
await poolManager.release(resource);
poolManager.dispose();
