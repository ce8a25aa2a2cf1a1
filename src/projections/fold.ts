import { evolve } from '../domain/evolve.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { Projection } from './projection.ts';

/** Takes events into a state, by the domain's own fold, and into projections. */
export function fold(
  state: PoolState,
  projections: readonly Pick<Projection, 'apply'>[],
  events: readonly RecordedPoolEvent[],
): void {
  for (let place = 0; place < events.length; place++) {
    const event = events[place]!;
    const lease = evolve(state, event);
    for (let i = 0; i < projections.length; i++) projections[i]!.apply(event, lease);
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
