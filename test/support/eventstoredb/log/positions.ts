import type { EventLog } from './event-log.ts';

/** A place in $all as clients name it. -1 in both stands for "before everything" or "the end", as the call has it. */
export interface Position {
  readonly commit: number;
  readonly prepare: number;
}

export const at = (position: number): Position => ({ commit: position, prepare: position });
export const UNSET: Position = at(-1);

export const isBefore = (a: Position, b: Position): boolean =>
  a.commit < b.commit || (a.commit === b.commit && a.prepare < b.prepare);

/** Where the last committed record begins; -1 of an empty log. */
export const lastPosition = (log: EventLog): number => (log.size === 0 ? -1 : log.recordAt(log.size - 1).position);

/** Where the next record will begin. */
export const endPosition = (log: EventLog): number => (log.size === 0 ? 0 : log.recordAt(log.size - 1).endPosition);

/**
 * The index of the record that begins at `position`. The start of the log and its end count as borders too (the index
 * of the end is the size); undefined says that the position is not the border of a record.
 */
export function indexAt(log: EventLog, position: number): number | undefined {
  if (position === 0) return 0;
  if (position === endPosition(log)) return log.size;
  let low = 0;
  let high = log.size - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = log.recordAt(middle).position;
    if (found === position) return middle;
    if (found < position) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
