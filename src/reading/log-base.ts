import { evolve } from '../domain/evolve.ts';
import { StatePacker, unpackState } from '../domain/ledger/pack.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore, Remains } from '../model/event-store.ts';
import type { RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import { PoolReadings } from '../projections/readings.ts';

/**
 * The state before the first event that a store with a bounded history still has: a fold of all that it let go of, which moves on as
 * it lets more go. So `fold(all)` is this and the tail, at about the price of folding each event a second time.
 */
export class LogBase implements Remains {
  /** At revision -1 until something was let go of. */
  readonly state: PoolState = emptyState();
  lastEventId: string | null = null;

  take(event: RecordedEvent): void {
    evolve(this.state, event as RecordedPoolEvent);
    this.lastEventId = event.id;
  }
}

/** Of the pool's stream, from its first event on if this is asked in time; undefined of a store that keeps every event. */
export const logBase = (store: EventStore, stream: string): LogBase | undefined =>
  store.history?.remains(stream, () => new LogBase());

/** ReadModel that end before the first event that is kept go on from the base. Throws NOT_FOUND if nothing stands for what is missing. */
export function beginAtBase(readings: PoolReadings, store: EventStore, stream: string): void {
  const first = store.history?.first(stream) ?? 0;
  if (readings.state.revision + 1 >= first) return;
  const base = logBase(store, stream);
  if (base === undefined)
    throw new PoolError('NOT_FOUND', `${stream} begins at revision ${first}: what was before is not kept`, {
      details: { first },
    });
  const counts = new PoolReadings().save();
  readings.load(unpackState(new StatePacker(base.state).packed()), counts, base.lastEventId);
}
