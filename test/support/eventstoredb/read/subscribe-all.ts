import { HandlerException, invalidPosition, unexpectedResult } from '../grpc/status.ts';
import type { EventLog } from '../log/event-log.ts';
import { at, isBefore, lastPosition, type Position } from '../log/positions.ts';
import { type AllPage, allForward } from './all-pages.ts';
import { eventAnswer, PAGE_COUNT, type ReadAnswer } from './answers.ts';
import { committed } from './commits.ts';
import { everyEvent, type Filter } from './filter.ts';

export interface AllSubscription {
  readonly id: string;
  /** The position after which events are wanted: UNSET for all, undefined for those written from now on. */
  readonly after: Position | undefined;
  readonly resolveLinks: boolean;
  /** With a filter come checkpoints, one for each `checkpointInterval` events looked at. */
  readonly filter?: { readonly passes: Filter; readonly window: number; readonly checkpointInterval: number };
}

/** Catches up by pages, then gives every event that is committed, gap-free. */
export async function* subscribeToAll(
  log: EventLog,
  subscription: AllSubscription,
  signal: AbortSignal,
): AsyncGenerator<ReadAnswer> {
  const startIndex = log.size;
  const last = at(lastPosition(log));
  const progress = new Progress(log, subscription, subscription.after ?? last);
  yield { kind: 'confirmation', subscriptionId: subscription.id };
  if (isBefore(progress.checkpoint, last)) {
    await assertAdvances(subscription, signal);
    yield* catchUp(log, progress, subscription);
  }
  yield { kind: 'caughtUp' };
  yield* live(log, startIndex, progress, subscription, signal);
}

/**
 * A window of 0 makes the real server divide by zero when it catches up; with a negative one it reads empty pages for
 * as long as the client waits.
 */
async function assertAdvances({ filter }: AllSubscription, signal: AbortSignal): Promise<void> {
  const window = filter?.window ?? PAGE_COUNT;
  if (window === 0) throw new HandlerException('Attempted to divide by zero.');
  if (window > 0) return;
  signal.throwIfAborted();
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  signal.throwIfAborted();
}

/** What was sent so far, so that no event and no checkpoint is sent twice. */
class Progress {
  readonly #log: EventLog;
  readonly #resolveLinks: boolean;
  #lastCheckpoint: Position | undefined;
  /** The position of what was sent last; events up to it are not sent again. */
  checkpoint: Position;

  constructor(log: EventLog, { resolveLinks }: AllSubscription, checkpoint: Position) {
    this.#log = log;
    this.#resolveLinks = resolveLinks;
    this.checkpoint = checkpoint;
  }

  *sendEvents(records: AllPage['records'], isLive = false): Generator<ReadAnswer> {
    for (const record of records) {
      if (!isBefore(this.checkpoint, at(record.position))) continue;
      yield eventAnswer(this.#log, record, this.#resolveLinks, isLive);
      this.checkpoint = at(record.position);
    }
  }

  *sendCheckpoint(): Generator<ReadAnswer> {
    if (this.#lastCheckpoint !== undefined && !isBefore(this.#lastCheckpoint, sent(this.checkpoint))) return;
    yield { kind: 'checkpoint', position: this.checkpoint };
    this.#lastCheckpoint = sent(this.checkpoint);
  }
}

/** A checkpoint before everything goes out as 2^64-1, and then is behind none. */
const sent = (checkpoint: Position): Position => (checkpoint.commit === -1 ? at(Number.POSITIVE_INFINITY) : checkpoint);

function* catchUp(log: EventLog, progress: Progress, { filter }: AllSubscription): Generator<ReadAnswer> {
  const limits = { count: PAGE_COUNT, window: filter?.window ?? Number.POSITIVE_INFINITY };
  let from = progress.checkpoint;
  for (let sinceCheckpoint = 0; ; ) {
    const page = pageFrom(log, from, filter?.passes ?? everyEvent, limits);
    yield* progress.sendEvents(page.records);
    if (page.isEnd) break;
    sinceCheckpoint += page.consideredCount;
    if (filter !== undefined && sinceCheckpoint >= filter.checkpointInterval) {
      sinceCheckpoint %= filter.checkpointInterval;
      if (isBefore(progress.checkpoint, page.current)) progress.checkpoint = page.current;
      yield* progress.sendCheckpoint();
    }
    from = page.next;
  }
  if (filter !== undefined) yield* progress.sendCheckpoint();
}

function pageFrom(log: EventLog, from: Position, passes: Filter, limits: { count: number; window: number }): AllPage {
  const start = from.commit < 0 && from.prepare < 0 ? at(0) : from;
  const page = allForward(log, start, passes, limits);
  if (page === 'InvalidPosition') throw invalidPosition();
  if (page === 'Error') throw unexpectedResult('ReadAllResult: Error');
  return page;
}

/** Events of the log count towards the next checkpoint from the start of the subscription on, sent or not. */
async function* live(
  log: EventLog,
  startIndex: number,
  progress: Progress,
  { filter }: AllSubscription,
  signal: AbortSignal,
): AsyncGenerator<ReadAnswer> {
  const passes = filter?.passes ?? everyEvent;
  let sinceCheckpoint = 0;
  for await (const records of committed(log, startIndex, signal)) {
    for (const record of records) {
      if (record.kind === 'none') continue;
      if (passes(record)) yield* progress.sendEvents([record], true);
      if (filter === undefined || ++sinceCheckpoint < filter.checkpointInterval) continue;
      sinceCheckpoint = 0;
      if (isBefore(at(record.position), progress.checkpoint)) continue;
      progress.checkpoint = at(record.position);
      yield* progress.sendCheckpoint();
    }
  }
}
