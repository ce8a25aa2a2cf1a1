import type { FollowUp } from '../../model/commands.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';
import type { Refusal } from '../../model/refusals.ts';
import type { RequestSpec } from '../../model/request.ts';
import type { RequestView } from '../../model/views.ts';
import type { BreakerGate } from '../breaker/breaker.ts';
import type { Plan } from '../plan.ts';
import type { EndedLease, LeaseRecord, PoolState, WaitingRecord } from '../state.ts';

/** What a decision tells its caller. `replayed`: the same was answered before, and nothing was done again. */
export type Answer =
  | { readonly kind: 'granted'; readonly lease: LeaseRecord; readonly replayed: boolean }
  | { readonly kind: 'queued'; readonly request: WaitingRecord; readonly replayed: boolean }
  | { readonly kind: 'lease'; readonly lease: LeaseRecord | EndedLease; readonly replayed: boolean }
  /** The request as it stood. */
  | { readonly kind: 'cancelled'; readonly request: RequestView; readonly replayed: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'done'; readonly replayed: boolean };

export interface Decided {
  /** The caller's own. */
  readonly events: RecordedPoolEvent[];
  /** For each event the lease that it grants or ends. */
  readonly leases: (LeaseRecord | undefined)[];
  readonly answer: Answer;
  /** What is left to do of the command, which one append might not hold: to be decided once this is committed. */
  readonly more: readonly FollowUp[];
}

/** What a decision may know besides the state: who decides, its breaker, and plans (cached or not: the same). */
export interface DecisionContext {
  readonly writerId: string;
  readonly breaker: BreakerGate;
  planFor(state: PoolState, request: RequestSpec): Plan;
}

export const DONE: Answer = { kind: 'done', replayed: false };
