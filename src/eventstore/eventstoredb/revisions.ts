import type { RecordedEvent } from '../../model/events.ts';
import { isAuditStream } from '../../model/ids.ts';
import { damagedAt } from '../errors.ts';

/**
 * The revision after the page. Throws DamagedLogError for a revision that is missing or doubled from `next` on. Of an audit
 * stream the server drops what is old, as its metadata tells it to.
 */
export function mustFollow(stream: string, page: readonly RecordedEvent[], next: number): number {
  let expected = next;
  for (const { revision } of page) {
    if (revision < expected || (revision > expected && !isAuditStream(stream)))
      throw damagedAt(stream, expected, `revision ${revision} lies there`);
    expected = revision + 1;
  }
  return expected;
}
