import { evolve } from '../domain/evolve.ts';
import { checkInvariants as checkState } from '../domain/invariants.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { KeyModel } from './key-model.ts';
import { passedOver } from './passed-over.ts';
import { ReferenceModel } from './reference-model.ts';

/**
 * Folds a pool's log event by event and checks each state: the invariants of the state, and what only a history shows, by models
 * that share no code with the domain (tokens rise, a lease is granted once and ended once, a key has one grant, no grant makes
 * more of the pool than there is, only a fall of capacity leaves less than nothing free, nobody is passed over). Throws at the first
 * event that is wrong.
 */
export class LogChecker {
  readonly state: PoolState = emptyState();
  readonly reference = new ReferenceModel();
  readonly keys = new KeyModel();

  take(event: RecordedPoolEvent): void {
    const passed = event.type === 'LeaseGranted' ? passedOver(this.state, event.data, event.at) : [];
    evolve(this.state, event);
    const opinions = [...this.reference.apply(event), ...this.keys.apply(event)];
    const wrong = [...passed, ...opinions, ...checkState(this.state), ...this.#compared()];
    if (wrong.length > 0) throw new Error(`${event.stream}@${event.revision} ${event.type}: ${wrong.join('; ')}`);
  }

  #compared(): string[] {
    const { state, reference } = this;
    const wrong: string[] = [];
    if (reference.live.length !== state.leases.size)
      wrong.push(`${state.leases.size} leases are folded, ${reference.live.length} are held`);
    for (const dimension of state.dimensions) {
      const counted = state.allocated.of(dimension) + state.quarantined.of(dimension);
      const summed = reference.sum(dimension);
      if (counted !== summed) wrong.push(`${dimension} is counted as ${counted}, the sum is ${summed}`);
    }
    return wrong;
  }
}

/** Checks a whole log from its first event; the state it comes to. */
export function checkLog(events: Iterable<RecordedPoolEvent>): PoolState {
  const checker = new LogChecker();
  for (const event of events) checker.take(event);
  return checker.state;
}

/** The first thing that is wrong with a whole log, from its first event; empty = nothing. */
export function checkInvariants(events: Iterable<RecordedPoolEvent>): string[] {
  try {
    checkLog(events);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
