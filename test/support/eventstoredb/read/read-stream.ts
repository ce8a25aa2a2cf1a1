import { streamDeleted, unexpectedResult } from '../grpc/status.ts';
import type { EventLog, StreamView } from '../log/event-log.ts';
import { eventAnswer, PAGE_COUNT, type ReadAnswer } from './answers.ts';
import { stateOf } from './retention.ts';
import { pageBackward, pageForward, type StreamPage } from './stream-pages.ts';

export interface StreamRead {
  readonly stream: string;
  /** The first revision to read, inclusive; -1 is the end. */
  readonly from: number;
  readonly direction: 'forwards' | 'backwards';
  readonly count: number;
  readonly resolveLinks: boolean;
  /** Whether the client knows the messages first_stream_position and last_stream_position. */
  readonly tellsPositions: boolean;
}

/** The answers to a read of a stream, each page as the log is when it is reached. */
export function* readStream(log: EventLog, read: StreamRead): Generator<ReadAnswer> {
  const isForwards = read.direction === 'forwards';
  if (read.count <= 0 || (isForwards && read.from < 0)) throw unexpectedResult('ReadStreamResult: Error');
  const pageCount = Math.min(PAGE_COUNT, read.count);
  const pageOf = isForwards ? pageForward : pageBackward;
  let from = read.from;
  let left = read.count;
  for (;;) {
    const stream = log.stream(read.stream);
    const state = stateOf(stream);
    if (state === 'tombstoned') throw streamDeleted(read.stream);
    if (state === 'missing') return yield { kind: 'streamNotFound', stream: read.stream };
    const page = pageOf(stream, from, pageCount, Date.now());
    if (left === read.count && isForwards && read.tellsPositions) yield* firstPosition(page, from);
    for (const record of page.records.slice(0, left)) yield eventAnswer(log, record, read.resolveLinks);
    left -= page.records.length;
    from = page.next;
    if (page.isEnd || left <= 0) return yield* lastPosition(read, stream);
  }
}

/** Told for each empty page before the first event, so twice where $tb lies beyond the end. */
function* firstPosition(page: StreamPage, from: number): Generator<ReadAnswer> {
  if (page.records.length === 0 && page.next !== from) yield { kind: 'firstStreamPosition', revision: page.next };
}

function* lastPosition(read: StreamRead, stream: StreamView): Generator<ReadAnswer> {
  if (read.tellsPositions) yield { kind: 'lastStreamPosition', revision: stream.last };
}
