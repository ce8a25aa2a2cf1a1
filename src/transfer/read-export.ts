import { STATE_SCHEMA_VERSION } from '../domain/snapshot.ts';
import { emptyState } from '../domain/state.ts';
import { lift } from '../eventstore/upcast.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedEvent } from '../model/events.ts';
import { foldPage, stateHash, streamName } from './export.ts';
import {
  announced,
  type ExportEnd,
  type ExportHeader,
  FORMAT,
  FORMAT_VERSION,
  LineReader,
  type StreamKey,
} from './lines.ts';

export interface ExportedEvent {
  readonly stream: StreamKey;
  readonly event: RecordedEvent;
  /** How many events the whole export holds. */
  readonly total: number;
}

/** The end of an export that was read whole, with what its events fold to. */
export interface WholeExport extends ExportEnd {
  readonly lastToken: number;
  /** No token up to this one may be given where the pool goes on; not below `lastToken`. */
  readonly ruledOut: number;
  /** Of the pool's last event, Unix ms. */
  readonly at: number;
}

/**
 * The events of an exported log in their order, lifted to today's versions, and at last its end. Throws INVALID_REQUEST for what is not a whole export of
 * this pool: a damaged line (naming it), a gap (only the first refusals may be gone, as its header says), another pool, no end, or events that fold to another state than was exported.
 */
export async function* readExport(
  lines: AsyncIterable<string>,
  poolId: string,
): AsyncGenerator<ExportedEvent, WholeExport> {
  const reader = new LineReader();
  const state = emptyState();
  const read = { pool: 0, audit: 0 };
  const next: Partial<Record<StreamKey, number>> = { pool: 0 };
  let header: ExportHeader | undefined;
  let end: ExportEnd | undefined;
  for await (const line of lines) {
    if (end !== undefined) throw notWhole('there is text after its end');
    const record = reader.record(line);
    if ('header' in record) header = accepted(record.header, poolId);
    else if (header === undefined) throw notWhole('its first line is no header');
    else if ('end' in record) end = record.end;
    else {
      const { stream } = record;
      const event = lift({ ...record.event, stream: streamName(poolId, stream) });
      const expected = next[stream] ?? Math.max(event.revision, header.from?.audit ?? 0);
      if (event.revision !== expected) throw notWhole(`${stream} goes on with revision ${event.revision}`);
      next[stream] = expected + 1;
      read[stream] += 1;
      if (stream === 'pool') foldPage(state, [event]);
      yield { stream, event, total: total(header) };
    }
  }
  if (end === undefined) throw notWhole('it has no end');
  const sha256 = stateHash(state);
  if (end.stateVersion === STATE_SCHEMA_VERSION && end.sha256 !== sha256)
    throw notWhole('its events fold to another state than was exported');
  const { lastToken, at } = state;
  const ruledOut = Math.max(lastToken, end.ruledOut ?? 0);
  return { ...end, events: read.pool, refusals: read.audit, sha256, lastToken, ruledOut, at };
}

function total(header: ExportHeader): number {
  const { pool, audit } = announced(header);
  return pool + audit;
}

const notWhole = (why: string): PoolError => new PoolError('INVALID_REQUEST', `not a whole export: ${why}`);

function accepted(header: ExportHeader, poolId: string): ExportHeader {
  const found = `${header.format} version ${header.version}`;
  const allowed = `${FORMAT} version ${FORMAT_VERSION}`;
  if (found !== allowed) throw new PoolError('INVALID_REQUEST', `header: ${found} is not allowed; allowed: ${allowed}`);
  if (header.poolId !== poolId)
    throw new PoolError(
      'INVALID_REQUEST',
      `pool: ${poolId} is not allowed; allowed: ${header.poolId}, the pool that was exported`,
    );
  return header;
}
