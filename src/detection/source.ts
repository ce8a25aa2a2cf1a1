import type { LimitedGroup } from './cgroup.ts';
import type { ResourceUse } from './last-good.ts';

export interface Look {
  readonly use: ResourceUse;
  /** The group whose limit is below what the host has. */
  readonly limitedBy?: LimitedGroup;
}

/** One look at one dimension, at a monotonic instant; undefined = this machine has none of it. Throws what it cannot read. */
export type Source = (atMs: number) => Look | undefined;

/** Reads again once `intervalMs` have passed; a failure is passed on and never kept. */
export function cached<T>(intervalMs: number, read: () => T): (atMs: number) => T {
  let kept: { readonly value: T; readonly atMs: number } | undefined;
  return (atMs) => {
    if (kept === undefined || atMs - kept.atMs >= intervalMs) kept = { value: read(), atMs };
    return kept.value;
  };
}
