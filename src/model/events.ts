import type { ResolvedConfig } from './config/config.ts';
import type { BoundKey } from './idempotency.ts';
import type { BreakerMode, BreakerTrigger, TierMode, TierTrigger } from './modes.ts';
import type { Refusal } from './refusals.ts';
import type { RequestSpec } from './request.ts';
import type { Amounts } from './values/amounts.ts';
import type { RequestView } from './views.ts';

/**
 * Every event there is, in the past tense, with its data. Amounts are integers in base units, instants integer Unix ms.
 * An event carries what was decided, so that the fold computes nothing twice, and the request it answers, so that the
 * command can be run again.
 */
export interface EventData {
  PoolOpened: { poolId: string; hostId: string };
  /** What config and capacity give: the fold takes the amounts from here and computes none. */
  ConfigChanged: { config: ResolvedConfig; hash: string; source: 'start' | 'patch'; sized: Sizing };
  CapacityObserved: { hostId: string; source: 'detected' | 'declared'; capacity: Amounts; sized: Sizing };
  WriterStarted: { writerId: string; hostId: string; version: string };
  /** A writer at which callers wait is still there: recorded when nothing else has told so for a while. */
  WriterSeen: { writerId: string };

  LeaseGranted: {
    /** Also the id of the decision, and of the request's command. */
    leaseId: string;
    request: RequestSpec;
    /** The class and the tier that the decision settled on. */
    priority: string;
    type: string;
    tier: string;
    /** What was granted: `request.amounts`, or down to `request.minimum`. */
    amounts: Amounts;
    /** The part of it above the tier's nominal; null if there is none. */
    borrowed: Amounts | null;
    /** The fencing token: one more than that of the grant before, or than the floor that was raised since. */
    token: number;
    ttlMs: number;
    expiresAt: number;
    /** How long it waited; null if it never queued. */
    waitedMs: number | null;
  };
  LeasesRenewed: {
    renewals: readonly { leaseId: string; ttlMs: number; expiresAt: number }[];
    cause: 'holder' | 'clockGap';
  };
  LeaseReleased: { leaseId: string; token: number; cause: 'holder' | 'callerGone' };
  LeaseReclaimed: { leaseId: string; token: number; reason: ReclaimReason; detail: string | null };
  /** A lease that is to end: the holder has until `endsAt` to stop by itself. */
  RevocationNoticed: { leaseId: string; token: number; reason: ReclaimReason; detail: string | null; endsAt: number };
  QuarantineStarted: { leaseId: string; tier: string; amounts: Amounts; until: number };
  QuarantineEnded: { leaseId: string; tier: string };

  RequestQueued: {
    leaseId: string;
    request: RequestSpec;
    priority: string;
    type: string;
    /** Where it was queued: the first open tier of those that serve its class, all of which may grant it. */
    tier: string;
    /** What the lease will get when it is granted. */
    ttlMs: number;
    expiresAt: number;
    /** The writer that the caller waits at. */
    writerId: string;
  };
  RequestCancelled: {
    leaseId: string;
    requestId: string;
    reason: 'asked' | 'callerGone' | 'writerGone' | 'draining' | 'neverFits';
    /** As its caller was answered, who cancelled it under a key and may ask again; not there of any other. */
    asItStood?: RequestView;
  };
  RequestExpired: { leaseId: string; requestId: string };

  TierModeChanged: { tier: string; trigger: TierTrigger; from: TierMode; to: TierMode; deadlineAt: number | null };
  BreakerModeChanged: {
    writerId: string;
    trigger: BreakerTrigger;
    from: BreakerMode;
    to: BreakerMode;
    /** Rises with every change: results of an earlier generation are ignored. */
    generation: number;
    /** open: until then; halfOpen: its deadline; else null. The drawn value, jitter included. */
    until: number | null;
    /** How often it has reopened without closing. */
    reopened: number;
  };
  HealthChanged: { healthy: boolean; failing: readonly string[] };
  ClockGapObserved: { writerId: string; gapMs: number; extendedLeases: number };
  /**
   * No token up to `floor` is given from here on: a copy of this log, its origin, or what is lost of it may have given them. `fileId`: of the
   * copy that it was raised for; null = it was asked for, or the log was imported.
   */
  TokenFloorRaised: { floor: number; reason: FloorReason; fileId: string | null };
  PoolDrainStarted: { deadlineAt: number | null };
  PoolDrainEnded: Record<string, never>;
}

/** What becomes of a capacity and a configuration together. */
export interface Sizing {
  readonly allocatable: Amounts;
  readonly tiers: Readonly<Record<string, TierSizing>>;
}

export interface TierSizing {
  readonly nominal: Amounts;
  /** null = unlimited; a missing dimension = 0. */
  readonly borrowingLimit: Amounts | null;
  readonly lendingLimit: Amounts | null;
}

/** The log goes on in a backup, in what a repair has kept, in another store; or somebody has asked for it. */
export type FloorReason = 'copied' | 'repaired' | 'imported' | 'asked';

export type ReclaimReason = 'expired' | 'preempted' | 'borrowed' | 'leaked' | 'revoked' | 'drained';

/** The audit stream's events. They change nothing, so they are never folded into the state. */
export interface AuditEventData {
  RequestRefused: {
    request: RequestSpec;
    refusal: Refusal;
    /** The breaker's mode in force when it was decided. */
    breaker: BreakerMode;
    writerId: string;
    /** Fields of the request of which something was left out because of its size; not there if it is whole. */
    leftOut?: readonly string[];
  };
  RefusalsSummarized: { from: number; to: number; counts: Readonly<Record<string, number>>; writerId: string };
}

export type EventType = keyof EventData;
export type AuditEventType = keyof AuditEventData;

export interface EventMetadata {
  /** The command that began it all: for a grant from the queue that of the request. */
  readonly correlationId: string;
  /** The command that this event came of. */
  readonly causationId: string;
  readonly actor: string;
  /** In the first event of a command that came with a key. */
  readonly key?: BoundKey;
}

interface Envelope<Type extends string, Data> {
  /** A UUID, fixed before the first try of the append. */
  readonly id: string;
  readonly type: Type;
  readonly schemaVersion: number;
  /** Unix ms; never before the event before it. */
  readonly at: number;
  readonly data: Data;
  readonly metadata: EventMetadata;
}

/** An event of the pool's stream that is decided and perhaps not committed yet. */
export type PoolEvent = { [T in EventType]: Envelope<T, EventData[T]> }[EventType];
export type AuditEvent = { [T in AuditEventType]: Envelope<T, AuditEventData[T]> }[AuditEventType];

/** What stores carry: any event, known here or not. */
export type NewEvent = Envelope<string, unknown>;
export type Recorded<E> = E & {
  readonly stream: string;
  /** Its place in the stream, from 0, without gaps. */
  readonly revision: number;
};
export type RecordedEvent = Recorded<NewEvent>;
export type RecordedPoolEvent = Recorded<PoolEvent>;
export type RecordedAuditEvent = Recorded<AuditEvent>;

/** The version of each event's data that is written today. Older ones are lifted by `eventstore/upcast.ts` when read. */
export const SCHEMA_VERSIONS: Readonly<Record<EventType | AuditEventType, number>> = {
  PoolOpened: 1,
  ConfigChanged: 1,
  CapacityObserved: 1,
  WriterStarted: 1,
  WriterSeen: 1,
  LeaseGranted: 1,
  LeasesRenewed: 1,
  LeaseReleased: 1,
  LeaseReclaimed: 1,
  RevocationNoticed: 1,
  QuarantineStarted: 1,
  QuarantineEnded: 1,
  RequestQueued: 1,
  RequestCancelled: 1,
  RequestExpired: 1,
  TierModeChanged: 1,
  BreakerModeChanged: 1,
  HealthChanged: 1,
  ClockGapObserved: 1,
  TokenFloorRaised: 1,
  PoolDrainStarted: 1,
  PoolDrainEnded: 1,
  RequestRefused: 1,
  RefusalsSummarized: 1,
};
