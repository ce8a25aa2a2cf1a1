import type { AdmissionMode, BreakerMode, LoadMode } from './modes.ts';
import type { Amounts, Requirements } from './values/amounts.ts';

export const LEASE_STATES = ['active', 'released', 'reclaimed'] as const;
export type LeaseState = (typeof LEASE_STATES)[number];

/** A lease as it stands. Amounts in base units, instants Unix ms. */
export interface LeaseView {
  readonly id: string;
  readonly requestId: string;
  readonly token: number;
  readonly tier: string;
  readonly owner: string;
  readonly priority: string;
  readonly type: string;
  readonly requirements: Requirements;
  readonly amounts: Amounts;
  readonly borrowed: Amounts | null;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly grantedAt: number;
  readonly ttlMs: number;
  readonly expiresAt: number;
  readonly renewAfterMs: number;
  readonly state: LeaseState;
  /** Active, but to be revoked: the instant it ends at. */
  readonly noticeEndsAt: number | null;
  readonly endedAt: number | null;
  /** Why it was reclaimed. */
  readonly reason: string | null;
  /** Of the last event that changed it. */
  readonly revision: number;
}

/** A request that waits. */
export interface RequestView {
  readonly requestId: string;
  readonly leaseId: string;
  readonly tier: string;
  readonly owner: string;
  readonly priority: string;
  readonly requirements: Requirements;
  readonly amounts: Amounts;
  readonly state: 'waiting';
  readonly queuedAt: number;
  readonly expiresAt: number;
  /** 0 = next. */
  readonly position: number;
  readonly shortfall: Amounts;
  /** When it would start if every lease ran to its end and nothing else came; null = cannot be said. */
  readonly estimatedStartMs: number | null;
}

export interface TierView {
  readonly name: string;
  readonly admission: AdmissionMode;
  readonly load: LoadMode;
  readonly nominal: Amounts;
  readonly allocated: Amounts;
  readonly quarantined: Amounts;
  readonly borrowed: Amounts;
  readonly lent: Amounts;
  /** What a new request could get now, borrowing included. */
  readonly free: Amounts;
  readonly waiting: number;
}

/** The body of GET /pool: folded values only. */
export interface PoolView {
  readonly poolId: string;
  readonly revision: number;
  /** Of the last folded event. */
  readonly at: number;
  readonly hostId: string;
  readonly capacity: Amounts;
  readonly allocatable: Amounts;
  readonly allocated: Amounts;
  readonly tiers: readonly TierView[];
  readonly breaker: { readonly mode: BreakerMode; readonly until: number | null };
  readonly queue: { readonly waiting: number };
  readonly leases: number;
  /** allocated / allocatable per dimension, 0..1 (above 1 while overcommitted). */
  readonly utilization: Readonly<Record<string, number>>;
  readonly draining: boolean;
  readonly configRevision: number;
}
