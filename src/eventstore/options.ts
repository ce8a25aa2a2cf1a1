import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/interfaces.ts';

export interface OpenStoreOptions {
  /** Never appends; opens beside a running writer. */
  readonly readOnly?: boolean;
  /** With `readOnly`: every page of the file is read and checked before it is opened. */
  readonly whole?: boolean;
  /** Waits until the writer that holds the file is gone, and takes over. Without it a second writer is an error. */
  readonly standby?: boolean;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** What EventStoreDB keeps of the audit streams; default 30 days and 1 000 000 refusals. An operator's own metadata wins. */
  readonly auditRetention?: AuditRetention;
}

export interface AuditRetention {
  readonly maxAgeMs: number;
  readonly maxCount: number;
}
