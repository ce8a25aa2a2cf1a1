import type { RecordedEvent } from '../../model/events.ts';
import { damagedAt } from '../errors.ts';

/** Old events of these streams are dropped by the server, as their metadata tells it; every other stream is whole. */
export const isTruncatable = (stream: string): boolean => stream.endsWith('-audit');

/** The revision after the page. Throws DamagedLogError for a revision that is missing or doubled from `next` on. */
export function mustFollow(stream: string, page: readonly RecordedEvent[], next: number): number {
  let expected = next;
  for (const { revision } of page) {
    if (revision < expected || (revision > expected && !isTruncatable(stream)))
      throw damagedAt(stream, expected, `revision ${revision} lies there`);
    expected = revision + 1;
  }
  return expected;
}
