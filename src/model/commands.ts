import type { ResolvedConfig } from './config/config.ts';
import type { FloorReason } from './events.ts';
import type { CommandKey } from './idempotency.ts';
import type { BreakerTrigger } from './modes.ts';
import type { RequestSpec } from './request.ts';
import type { Amounts } from './values/amounts.ts';

/**
 * Every command there is. Time, ids and randomness are stamped on it once; deciding it again gives the same events.
 * Commands of users come from the doors (library, HTTP, CLI); the others from deadlines, sensors and the live actors.
 */
export interface CommandData {
  OpenPool: { poolId: string; hostId: string };
  StartWriter: { writerId: string; hostId: string; version: string };
  /**
   * Tokens begin above `least`; null = above all that the log and `known` name, with room for those that neither does. For a copy, named
   * by `fileId`, once; else only if they do not yet.
   */
  RaiseTokenFloor: { least: number | null; known: number; reason: FloorReason; fileId: string | null };
  /** Callers wait at this writer, and it has recorded nothing for a while. */
  MarkWriter: { writerId: string };
  /** Recorded only if the hash differs from the last one recorded from the same source. `expectedRevision`: If-Match. */
  Configure: { config: ResolvedConfig; hash: string; source: 'start' | 'patch'; expectedRevision: number | null };
  ObserveCapacity: { hostId: string; source: 'detected' | 'declared'; capacity: Amounts };

  Allocate: { request: RequestSpec };
  Release: { leaseId: string; token: number; cause: 'holder' | 'callerGone' } & IfRevision;
  Renew: { leaseId: string; token: number; ttlMs: number | null } & IfRevision;
  Revoke: { leaseId: string; reason: string | null; graceMs: number | null } & IfRevision;
  Cancel: { requestId: string };
  /** Requests that nobody waits for any more; those that a key or `respond-async` lets a caller come back for stay. */
  CancelOrphans: { leaseIds: readonly string[]; reason: 'callerGone' | 'writerGone' };

  /** The deadlines of these leases have passed on the writer's clock; `expiresAt` tells a deadline that was renewed meanwhile. */
  ReclaimExpired: { leases: readonly { leaseId: string; expiresAt: number }[] };
  /** The grace of these noticed leases has passed. */
  EndNoticed: { leaseIds: readonly string[] };
  ExpireRequests: { leaseIds: readonly string[] };
  EndQuarantine: { leaseIds: readonly string[] };
  /** A stall of this writer: every live lease with a later token (0 = all) gets at least one renewal interval more. */
  ObserveClockGap: { gapMs: number; afterToken: number };
  /** Those who wait for what cannot come: the pool drains, or all that could grant them; or nothing ever could. Only who queued after a revision, if one is given. */
  CancelHopeless: { afterRevision?: number };
  /** The backstop: judges loads, and what any deadline has missed. */
  Sweep: Record<string, never>;

  CordonTier: { tier: string };
  UncordonTier: { tier: string };
  DrainTier: { tier: string; deadlineMs: number };
  /** From the tier's actor: this deadline of its drain has passed on the writer's clock; a drain with another one goes on. `afterToken`: the leases up to it have ended. */
  EndTierDrain: { tier: string; deadlineAt: number; afterToken?: number };
  /** From a pressured tier's actor. */
  JudgeLoad: { tier: string };
  DrainPool: { deadlineMs: number | null };
  EndPoolDrain: Record<string, never>;

  /**
   * `draw` in [0, 1): where the open time lies within its jitter. `generation`: of the breaker the trigger was seen by; null for a hand.
   * `ownGeneration`: of the writer's breaker before it, which counts where the log knows of none.
   */
  TriggerBreaker: { trigger: BreakerTrigger; generation: number | null; draw: number; ownGeneration?: number };
  ObserveHealth: { healthy: boolean; failing: readonly string[] };
}

/** If-Match: the lease must stand at one of these revisions. */
interface IfRevision {
  ifRevision?: readonly number[];
}

export type CommandType = keyof CommandData;

interface Stamped<Type extends string, Data> {
  readonly type: Type;
  /** From `CommandIds`; the decision's id, and the id of a lease that comes of it. */
  readonly commandId: string;
  /** The id of the first event that it causes, where whoever stamps it has that at hand: to read it off `commandId` costs more. */
  readonly firstEventId?: string;
  /** Wall time of the stamp, Unix ms. */
  readonly at: number;
  readonly actor: string;
  /** Given by callers who may repeat themselves. */
  readonly key?: CommandKey;
  readonly data: Data;
}

/** A command that is to be decided next, not yet stamped. */
export type FollowUp = { [T in CommandType]: { readonly type: T; readonly data: CommandData[T] } }[CommandType];

export type Command = { [T in CommandType]: Stamped<T, CommandData[T]> }[CommandType];
export type CommandOf<T extends CommandType> = Extract<Command, { type: T }>;
