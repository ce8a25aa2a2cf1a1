import { type ErrorCode, type FieldError, PoolError } from './errors.ts';
import type { Amounts } from './values/amounts.ts';

/** The codes that a decision can refuse with. A refusal is a value: nothing was changed by it. */
export type RefusalCode = Extract<
  ErrorCode,
  | 'INVALID_REQUEST'
  | 'INVALID_CONFIG'
  | 'NOT_FOUND'
  | 'ID_IN_USE'
  | 'FENCED'
  | 'REVISION_MISMATCH'
  | 'NEVER_FITS'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'EXHAUSTED'
  | 'QUOTA_EXCEEDED'
  | 'QUEUE_FULL'
  | 'WAIT_EXPIRED'
  | 'CANCELLED'
  | 'BREAKER_OPEN'
  | 'TIER_CLOSED'
  | 'DRAINING'
  | 'OVERLOADED'
>;

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  /** The decision's id (that of its command), by which `explain` finds it. */
  readonly decisionId: string;
  /** The revision that it was decided at: of the last event folded before. */
  readonly revision: number;
  readonly tier?: string;
  readonly retryAfterMs?: number;
  /** What is missing now, in base units, per dimension that lacks anything. */
  readonly shortfall?: Amounts;
  /** NEVER_FITS: the most that could ever be granted, in base units. */
  readonly ceiling?: Amounts;
  /** How many requests wait before this one would. */
  readonly position?: number;
  /** FENCED: why the lease ended. */
  readonly reason?: string;
  readonly errors?: readonly FieldError[];
}

/** The error that carries a refusal to callers who asked for a lease or nothing. */
export function refusalError(refusal: Refusal): PoolError {
  const { code, message, ...details } = refusal;
  return new PoolError(code, message, { details });
}
