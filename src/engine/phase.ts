import type { Batch } from './batch.ts';

/** What the engine is at. It is in one phase at a time, and `ALLOWED` alone says what may be done in which. */
export type Phase =
  | { readonly is: 'idle' }
  /** A batch is decided, and answered if the store answers at once. The state is changing. */
  | { readonly is: 'deciding' }
  /** A batch has been sent, and its outcome is awaited. */
  | { readonly is: 'appending'; readonly batch: Batch }
  /** Another writer's turn is awaited; `cancel` stops the timer that ends it. */
  | { readonly is: 'yielding'; readonly cancel: () => void }
  | Away
  /** The history is impossible, there is a bug, or the state is not known any more. Nothing leads out of it. */
  | { readonly is: 'poisoned'; readonly error: unknown }
  | { readonly is: 'closed' };

/** The log is read, doubted, or left alone for a while. `doubtful`: of which nobody knows whether it was written. */
export interface Away {
  readonly is: 'away';
  readonly why: 'defeated' | 'failed' | 'unknown' | 'behind';
  readonly doubtful?: Batch;
}

export interface Allowed {
  /** Whether commands are taken into the queue. */
  readonly commands: boolean;
  /** Whether a batch may be begun. */
  readonly decide: boolean;
  /** Whether the queue is held: what comes is not drained, and the engine counts as busy. */
  readonly hold: boolean;
  /** What becomes of another writer's events that the subscription delivers. */
  readonly foreign: 'folded' | 'kept' | 'ignored';
  /** Whether the state may be taken back to what is committed, for a look at it. */
  readonly lookBack: boolean;
}

export const ALLOWED: Readonly<Record<Phase['is'], Allowed>> = {
  idle: { commands: true, decide: true, hold: false, foreign: 'folded', lookBack: true },
  deciding: { commands: true, decide: false, hold: false, foreign: 'kept', lookBack: false },
  appending: { commands: true, decide: false, hold: true, foreign: 'kept', lookBack: true },
  yielding: { commands: true, decide: false, hold: true, foreign: 'folded', lookBack: true },
  away: { commands: true, decide: false, hold: true, foreign: 'kept', lookBack: true },
  poisoned: { commands: false, decide: false, hold: false, foreign: 'ignored', lookBack: true },
  closed: { commands: false, decide: false, hold: false, foreign: 'ignored', lookBack: true },
};

export const IDLE: Phase = { is: 'idle' };
export const DECIDING: Phase = { is: 'deciding' };
export const CLOSED: Phase = { is: 'closed' };
