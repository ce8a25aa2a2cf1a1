import { type LimitedGroup, readMemoryUsed, tightest } from './cgroup.ts';
import { readHostMemory } from './host.ts';
import type { Source } from './source.ts';

/**
 * Memory as far as this process may have it. The total is the tightest of host and groups; what is used is what the group
 * with that limit uses; what is available must be so in every group above it and on the host.
 */
export function memorySource(root: string, limitsAt: (atMs: number) => readonly LimitedGroup[]): Source {
  return (atMs) => {
    const { totalBytes, availableBytes } = readHostMemory(root);
    const groups = limitsAt(atMs).filter((group) => group.limit < totalBytes);
    const binding = tightest(groups);
    if (binding === undefined) {
      return { use: { total: totalBytes, used: totalBytes - availableBytes, available: availableBytes } };
    }
    const used = groups.map(readMemoryUsed);
    const rooms = groups.map((group, index) => Math.max(0, group.limit - used[index]!));
    const bindingUsed = Math.min(binding.limit, used[groups.indexOf(binding)]!);
    const available = Math.min(availableBytes, binding.limit, ...rooms);
    return { use: { total: binding.limit, used: bindingUsed, available }, limitedBy: binding };
  };
}
