import type { LeaseRecord, PoolState } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';

/**
 * A reading side of the pool: a fold of its committed events, and of nothing else. So a rebuild is `reset` and the same
 * `apply`, and however a projection came to a revision, `save` gives the same value there. What is already told by the
 * pool's state is not kept a second time: readings take it from there.
 */
export interface Projection {
  readonly name: string;
  /** Forgets everything: as before the first event. */
  reset(): void;
  /** Takes the event in. `lease`: the one that it grants or ends, as `evolve` answers it. */
  apply(event: RecordedPoolEvent, lease: LeaseRecord | undefined): void;
  /** What it holds, as plain JSON: for snapshots, and to compare two folds. Without what `state` tells. */
  save(): unknown;
  /** Goes on from what `save` gave when the pool was as in `state`. */
  load(saved: unknown, state: PoolState): void;
}
