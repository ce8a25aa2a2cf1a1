import { evolve } from '../domain/evolve.ts';
import { canonicalState, STATE_SCHEMA_VERSION } from '../domain/snapshot.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import { firstRevision, lastRevision, readRange } from '../eventstore/read-range.ts';
import { sha256 } from '../eventstore/sha256.ts';
import { highestRuledOut } from '../eventstore/token-floor.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import { auditStream, poolStream } from '../model/ids.ts';
import { announced, type ExportHeader, FORMAT, FORMAT_VERSION, LineWriter, type StreamKey } from './lines.ts';

/** How far a transfer is, in events of both streams. */
export interface TransferProgress {
  readonly events: number;
  readonly total: number;
}

/** Where an export that was cut short stands: the header it began with, the last event it holds, and the checksum so far. */
export interface ExportCut {
  readonly header: ExportHeader;
  readonly stream: StreamKey;
  readonly revision: number;
  readonly chain: number;
}

export interface ExportOptions {
  /** Goes on where an earlier export of the same pool was cut short. */
  readonly after?: ExportCut;
  readonly onProgress?: (progress: TransferProgress) => void;
}

/**
 * The text of an exported log, page by page: a header, every event of the pool's stream and then of its audit stream as far
 * as they went when it began, and an end. It may be taken beside a running writer. Throws NOT_FOUND for a pool without events.
 */
export async function* exportLog(
  store: EventStore,
  poolId: string,
  { after, onProgress = () => {} }: ExportOptions = {},
): AsyncGenerator<string> {
  const header = after?.header ?? (await headerOf(store, poolId));
  const writer = new LineWriter(after?.chain);
  if (after === undefined) yield writer.line({ header });
  const state = emptyState();
  const { pool, audit } = announced(header);
  const total = pool + audit;
  let events = 0;
  for (const stream of ['pool', 'audit'] as const) {
    for await (const page of readRange(store, streamName(poolId, stream), 0, header.to[stream])) {
      if (stream === 'pool') foldPage(state, page);
      yield page
        .filter((event) => isAfter(after, stream, event.revision))
        .map(({ stream: _, ...event }) => writer.line({ stream, event }))
        .join('');
      events += page.length;
      onProgress({ events, total });
    }
  }
  const ruledOut = highestRuledOut(state, store.traits.restored);
  const end = { events: pool, refusals: audit, stateVersion: STATE_SCHEMA_VERSION, sha256: stateHash(state) };
  yield writer.line({ end: ruledOut > state.lastToken ? { ...end, ruledOut } : end });
}

async function headerOf(store: EventStore, poolId: string): Promise<ExportHeader> {
  const pool = await lastRevision(store, poolStream(poolId));
  if (pool < 0) throw new PoolError('NOT_FOUND', `${store.traits.url} holds no pool ${poolId}`);
  const first = await firstRevision(store, poolStream(poolId));
  if (first > 0)
    throw new PoolError(
      'NOT_FOUND',
      `pool ${poolId} is kept from revision ${first} on, and only a whole log can be exported`,
      {
        details: { first },
      },
    );
  const audit = await lastRevision(store, auditStream(poolId));
  const from = { pool: 0, audit: Math.min(await firstRevision(store, auditStream(poolId)), audit + 1) };
  return { format: FORMAT, version: FORMAT_VERSION, poolId, from, to: { pool, audit } };
}

export const streamName = (poolId: string, stream: StreamKey): string =>
  stream === 'pool' ? poolStream(poolId) : auditStream(poolId);

export function foldPage(state: PoolState, page: readonly Omit<RecordedEvent, 'stream'>[]): void {
  for (const event of page) evolve(state, event as RecordedPoolEvent);
}

export const stateHash = (state: PoolState): string => sha256(canonicalState(state));

function isAfter(cut: ExportCut | undefined, stream: StreamKey, revision: number): boolean {
  if (cut === undefined) return true;
  return stream === cut.stream ? revision > cut.revision : stream === 'audit';
}
