import type { EventStore } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';

/** Pages of the pool's stream from `from` on. What the store gives is of a known type and version: its codec refuses others. */
export const readTail = (
  store: EventStore,
  stream: string,
  from: number,
): AsyncIterable<readonly RecordedPoolEvent[]> =>
  store.read(stream, { from }) as AsyncIterable<readonly RecordedPoolEvent[]>;
