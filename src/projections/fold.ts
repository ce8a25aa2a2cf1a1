import { evolve } from '../domain/evolve.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { Projection } from './projection.ts';

/** Takes events into the projections and the state that they read, by the domain's own fold. The one way that they move. */
export function fold(
  state: PoolState,
  projections: readonly Projection[],
  events: readonly RecordedPoolEvent[],
  from = 0,
): void {
  for (let place = from; place < events.length; place++) {
    const event = events[place]!;
    for (const projection of projections) projection.apply(event, state);
    evolve(state, event);
  }
}

/** Folds projections anew from the first event on: `reset`, and the same `apply`. Answers the state that they stand at. */
export async function rebuild(
  projections: readonly Projection[],
  pages: AsyncIterable<readonly RecordedPoolEvent[]>,
): Promise<PoolState> {
  for (const projection of projections) projection.reset();
  const state = emptyState();
  for await (const events of pages) fold(state, projections, events);
  return state;
}
