import type { StoreTraits } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';
import { dataBytes } from './event-json.ts';

/** What one append may hold. */
export interface AppendLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Sizes are only looked at where the store limits them. */
  readonly measured: boolean;
}

export const appendLimits = ({ maxAppendEvents, maxAppendBytes }: StoreTraits): AppendLimits => ({
  maxEvents: maxAppendEvents,
  maxBytes: maxAppendBytes,
  measured: Number.isFinite(maxAppendBytes) && maxAppendBytes < 2 ** 31,
});

/** The bytes that the batch has once `more` is added, or -1 if there is no room for it. */
export function withinLimits(limits: AppendLimits, events: number, bytes: number, more: readonly NewEvent[]): number {
  if (events + more.length > limits.maxEvents) return -1;
  if (!limits.measured) return 0;
  let grown = bytes;
  for (const event of more) grown += dataBytes(event);
  return grown > limits.maxBytes ? -1 : grown;
}

/** How many of the events, from the first on, one append holds. At least one: what is too large by itself is the store's to refuse. */
export function fitting(limits: AppendLimits, events: readonly NewEvent[]): number {
  let bytes = 0;
  for (let i = 0; i < events.length; i++) {
    bytes = withinLimits(limits, i, bytes, [events[i]!]);
    if (bytes < 0) return Math.max(1, i);
  }
  return events.length;
}
