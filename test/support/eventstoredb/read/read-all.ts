import { unexpectedResult } from '../grpc/status.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Position } from '../log/positions.ts';
import { allBackward, allForward } from './all-pages.ts';
import { eventAnswer, PAGE_COUNT, type ReadAnswer } from './answers.ts';
import { everyEvent, type Filter } from './filter.ts';

export interface AllRead {
  /** Inclusive forwards, exclusive backwards; -1 in both halves is the end. */
  readonly from: Position;
  readonly direction: 'forwards' | 'backwards';
  readonly count: number;
  readonly resolveLinks: boolean;
  readonly filter?: { readonly passes: Filter; readonly window: number };
}

/** Whether a read can never be answered: the real server then reads empty pages for ever. */
export const neverAnswers = ({ count, filter }: AllRead): boolean =>
  count <= 0 || (filter !== undefined && filter.window <= 0);

export function* readAll(log: EventLog, read: AllRead): Generator<ReadAnswer> {
  const pageOf = read.direction === 'forwards' ? allForward : allBackward;
  const limits = { count: Math.min(PAGE_COUNT, read.count), window: read.filter?.window ?? Number.POSITIVE_INFINITY };
  let from = read.from;
  for (let left = read.count; ; ) {
    const page = pageOf(log, from, read.filter?.passes ?? everyEvent, limits);
    if (typeof page === 'string') throw unexpectedResult(`${resultName(read)}: ${page}`);
    for (const record of page.records.slice(0, left)) yield eventAnswer(log, record, read.resolveLinks);
    left -= page.records.length;
    from = page.next;
    if (page.isEnd || left <= 0) return;
  }
}

const resultName = ({ filter }: AllRead): string => (filter === undefined ? 'ReadAllResult' : 'FilteredReadAllResult');
