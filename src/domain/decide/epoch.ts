import type { Journal } from '../ledger/journal.ts';
import type { PoolState } from '../state.ts';

/**
 * Counts what may have freed something: an end, a change of mode, size or configuration, and every undo. While it stands nothing
 * came free, so what did not fit still does not. It is of the working state: no event tells it, no snapshot holds it.
 */
export const epochOf = (state: PoolState, journal: Journal | undefined): number =>
  state.freed + (journal === undefined ? 0 : journal.undos);
