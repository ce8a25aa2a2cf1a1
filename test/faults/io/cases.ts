import type { Outcome } from './workload.ts';

export type Call = 'pwrite64' | 'fsync' | 'fdatasync' | 'openat' | 'ftruncate' | 'unlink';

/** `interrupted`: once too, but in a thread of its own, since nobody sees an interrupted call that is made again at once. */
export type Mode = 'once' | 'forever' | 'interrupted';

export interface Sweep {
  readonly folder: string;
  readonly workload: string;
  readonly call: Call;
  readonly mode: Mode | 'count';
  /** once: every so manieth call fails; forever: all do from this one on. More than a workload makes. */
  readonly step: number;
  /** Which calls of the workload fail, in turn; both included. */
  readonly from: number;
  readonly to: number;
}

export interface Tried {
  readonly k: number;
  readonly folder: string;
  /** The failure came within the workload. */
  readonly reached: boolean;
  readonly outcome: Outcome;
}

/** Opened before and after a workload whose calls are counted in a trace. There are no such files. */
export const MARKS = ['/rpm-workload-begins', '/rpm-workload-ends'] as const;

/** What a sweep says when a call failed before its case. */
export const MISSED = 'a call that does nothing failed';
