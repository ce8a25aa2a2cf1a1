import type { StreamView } from '../log/event-log.ts';
import { isSoftDeleted, type StreamMetadata } from '../log/metadata.ts';
import { type LogRecord, NO_STREAM, TOMBSTONE_REVISION } from '../log/record.ts';

/** Whether a stream can be read at all: a soft-deleted one reads like one that never was. */
export function stateOf(stream: StreamView): 'readable' | 'missing' | 'tombstoned' {
  if (stream.last === TOMBSTONE_REVISION) return 'tombstoned';
  return stream.last === NO_STREAM || isSoftDeleted(stream.metadata) ? 'missing' : 'readable';
}

/** The first revision that $maxCount and $tb leave; it may lie beyond the last one. */
export const firstKept = (stream: StreamView): number =>
  Math.max(
    0,
    stream.last - (stream.metadata.maxCount ?? Number.POSITIVE_INFINITY) + 1,
    stream.metadata.truncateBefore ?? 0,
  );

export const isExpired = (record: LogRecord, metadata: StreamMetadata, nowMs: number): boolean =>
  metadata.maxAgeMs !== undefined && record.createdMs < nowMs - metadata.maxAgeMs;

/** The event of a revision if a reader of that one event may see it. */
export function readableRecord(stream: StreamView, revision: number, nowMs: number): LogRecord | undefined {
  if (stateOf(stream) !== 'readable' || revision < firstKept(stream)) return undefined;
  const record = stream.recordAt(revision);
  return record === undefined || isExpired(record, stream.metadata, nowMs) ? undefined : record;
}
