import { streamDeleted } from '../grpc/status.ts';
import type { EventLog } from '../log/event-log.ts';
import { type LogRecord, TOMBSTONE_REVISION } from '../log/record.ts';
import { eventAnswer, PAGE_COUNT, type ReadAnswer } from './answers.ts';
import { committed } from './commits.ts';
import { stateOf } from './retention.ts';
import { pageForward } from './stream-pages.ts';

export interface StreamSubscription {
  readonly id: string;
  readonly stream: string;
  /** The revision after which events are wanted: -1 for all, undefined for those written from now on. */
  readonly after: number | undefined;
  readonly resolveLinks: boolean;
}

/**
 * Catches up by pages, as retention lets them through, then gives every event that is committed, gap-free: both parts
 * follow the same revision. Ends with an error when the stream is tombstoned.
 */
export async function* subscribeToStream(
  log: EventLog,
  { id, stream: name, after, resolveLinks }: StreamSubscription,
  signal: AbortSignal,
): AsyncGenerator<ReadAnswer> {
  const { last } = log.stream(name);
  const startIndex = log.size;
  if (last === TOMBSTONE_REVISION) throw streamDeleted(name);
  yield { kind: 'confirmation', subscriptionId: id };
  let checkpoint = after ?? last;
  if (checkpoint < last) {
    for (const record of catchUp(log, name, checkpoint + 1)) {
      yield eventAnswer(log, record, resolveLinks);
      checkpoint = record.revision;
    }
  }
  yield { kind: 'caughtUp' };
  for await (const records of committed(log, startIndex, signal)) {
    for (const record of records) {
      if (record.stream !== name || record.kind === 'none' || record.revision <= checkpoint) continue;
      yield eventAnswer(log, record, resolveLinks, true);
      if (record.kind === 'tombstone') throw streamDeleted(name);
      checkpoint = record.revision;
    }
  }
}

function* catchUp(log: EventLog, name: string, from: number): Generator<LogRecord> {
  for (let next = from; ; ) {
    const stream = log.stream(name);
    const state = stateOf(stream);
    if (state === 'tombstoned') throw streamDeleted(name);
    if (state === 'missing') return;
    const page = pageForward(stream, next, PAGE_COUNT, Date.now());
    yield* page.records;
    if (page.isEnd) return;
    next = page.next;
  }
}
