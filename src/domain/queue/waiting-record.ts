import type { RequestSpec } from '../../model/request.ts';

/** A request that waits for room. Where it waits, and in what rank, follows from the configuration and the capacity (queue.ts). */
export interface WaitingRecord {
  readonly leaseId: string;
  readonly request: RequestSpec;
  readonly priority: string;
  readonly type: string;
  readonly ttlMs: number;
  readonly queuedAt: number;
  readonly expiresAt: number;
  readonly writerId: string;
  readonly revision: number;
}
