import type { StoreTraits } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';

/** What one append may hold. */
export interface AppendLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Sizes are only looked at where the store limits them. */
  readonly measured: boolean;
}

/** What a store adds to an event's JSON: ids, type, stream name and framing. */
const ENVELOPE_BYTES = 512;

export const appendLimits = ({ maxAppendEvents, maxAppendBytes }: StoreTraits): AppendLimits => ({
  maxEvents: maxAppendEvents,
  maxBytes: maxAppendBytes,
  measured: Number.isFinite(maxAppendBytes) && maxAppendBytes < 2 ** 31,
});

/** The bytes that the batch has once `more` is added, or -1 if there is no room for it. */
export function withinLimits(limits: AppendLimits, events: number, bytes: number, more: readonly NewEvent[]): number {
  if (events + more.length > limits.maxEvents) return -1;
  if (!limits.measured) return 0;
  const grown = more.reduce((sum, event) => sum + sizeOf(event), bytes);
  return grown > limits.maxBytes ? -1 : grown;
}

const sizeOf = (event: NewEvent): number =>
  Buffer.byteLength(JSON.stringify(event.data)) + Buffer.byteLength(JSON.stringify(event.metadata)) + ENVELOPE_BYTES;
