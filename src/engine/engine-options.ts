import type { DecisionContext } from '../domain/decide/answer.ts';
import type { Journal } from '../domain/ledger/journal.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import type { Clock } from '../model/clock.ts';
import type { FollowUp } from '../model/commands.ts';
import type { EventStore } from '../model/event-store.ts';
import type { NewEvent, RecordedPoolEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import type { Refusal } from '../model/refusals.ts';
import type { Jitter } from '../time/backoff.ts';
import type { Batch } from './batch.ts';
import type { Call } from './call.ts';
import type { UnknownLimits } from './unknown-outcome.ts';
import type { WriterRotation } from './writer-rotation.ts';

export interface EngineOptions {
  readonly store: EventStore;
  readonly stream: string;
  /** The fold of the whole stream; the engine's own from here on. */
  readonly state: PoolState;
  readonly journal: Journal;
  readonly context: DecisionContext;
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly logger: Logger;
  readonly mailboxLimit: () => number;
  readonly listener: EngineListener;
  readonly unknown: UnknownLimits;
  /** A new event that takes the place of a batch whose outcome stays unknown (WriterStarted). */
  readonly barrier: () => NewEvent;
  /** Where others append, too. */
  readonly rotation: WriterRotation | undefined;
  /** What goes on with a command that was decided in part. */
  readonly following: (next: FollowUp) => Call;
}

/** What the engine tells: in the order of the log, and each before any caller acts on it. */
export interface EngineListener {
  deciding(call: Call): void;
  refused(call: Call, refusal: Refusal): void;
  /** A call that was answered as before: nothing was done. */
  replayed(call: Call): void;
  /**
   * `leases`: for each event the one that it grants or ends. `own`: appended here just now; else learnt from the log. Answers of
   * own batches have been given.
   */
  committed(events: readonly RecordedPoolEvent[], leases: readonly (LeaseRecord | undefined)[], own: boolean): void;
  appendBegan(batch: Batch): void;
  /** An append ended. Conflicts are no sample: they say nothing about the store's health. */
  appendEnded(ok: boolean, durationMs: number): void;
  /** The log does not accept (false), or accepts again (true). */
  logAccepts(accepts: boolean): void;
}

export interface AppendCounters {
  batches: number;
  events: number;
  conflicts: number;
  unknown: number;
  failed: number;
}
