import { type LimitedGroup, readCpuTimeUs, tightest } from './cgroup.ts';
import { countHostCpus, readHostCpuTime, readLoadRatio } from './host.ts';
import { RateMeter } from './rate.ts';
import type { Source } from './source.ts';

/** Host cpu time is counted in ticks of 10 ms, a group's in microseconds. */
const HOST_WINDOW_MS = 200;
const GROUP_WINDOW_MS = 20;

/**
 * Cpu in millicores as far as this process may have it: the tightest of host, quota and cpuset. Usage is a rate, so the
 * first looks fall back on the load average.
 */
export function cpuSource(root: string, limitsAt: (atMs: number) => readonly LimitedGroup[]): Source {
  const busyRatioAt = hostBusyRatio(root);
  const groupUseAt = groupMillicores();
  return (atMs) => {
    const hostCpus = countHostCpus(root);
    const hostTotal = hostCpus * 1000;
    const busyRatio = busyRatioAt(atMs, hostCpus);
    const hostIdle = Math.round(hostTotal * (1 - busyRatio));
    const binding = tightest(limitsAt(atMs).filter((group) => group.limit < hostTotal));
    if (binding === undefined) return { use: { total: hostTotal, used: hostTotal - hostIdle, available: hostIdle } };
    const total = binding.limit;
    const used = Math.min(total, Math.round(groupUseAt(binding, atMs) ?? total * busyRatio));
    return { use: { total, used, available: Math.max(0, Math.min(total - used, hostIdle)) }, limitedBy: binding };
  };
}

function hostBusyRatio(root: string): (atMs: number, hostCpus: number) => number {
  let meters: { readonly busy: RateMeter; readonly total: RateMeter } | undefined;
  return (atMs, hostCpus) => {
    const time = readHostCpuTime(root);
    meters ??= {
      busy: new RateMeter(time.busy, atMs, HOST_WINDOW_MS),
      total: new RateMeter(time.total, atMs, HOST_WINDOW_MS),
    };
    const busy = meters.busy.update(time.busy, atMs);
    const total = meters.total.update(time.total, atMs);
    return busy !== undefined && total ? Math.min(1, busy / total) : readLoadRatio(root, hostCpus);
  };
}

/** Undefined while there is no rate yet, or where the group's time is not counted. */
function groupMillicores(): (group: LimitedGroup, atMs: number) => number | undefined {
  let metered: { readonly dir: string; readonly meter: RateMeter } | undefined;
  return (group, atMs) => {
    if (group.cpuTimePath === undefined) return undefined;
    const usedUs = readCpuTimeUs(group);
    if (metered?.dir !== group.dir) metered = { dir: group.dir, meter: new RateMeter(usedUs, atMs, GROUP_WINDOW_MS) };
    return metered.meter.update(usedUs, atMs); // microseconds a millisecond are millicores
  };
}
