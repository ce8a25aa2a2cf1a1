import type { StreamView } from '../log/event-log.ts';
import { isSoftDeleted } from '../log/metadata.ts';
import { NO_STREAM, TOMBSTONE_REVISION } from '../log/record.ts';
import type { KnownId } from './known-ids.ts';

/** Expected versions as EventStoreDB numbers them; every other number is a revision. */
export const Expected = { noStream: NO_STREAM, any: -2, streamExists: -4 } as const;

/** What the stream that is written to, and what is known of ids, look like to the writer. */
export interface WriteContext {
  readonly name: string;
  /** Staged records included. */
  readonly stream: StreamView;
  /** The last staged revision of its metadata stream. */
  readonly metastreamLast: number;
  known(id: string): KnownId | undefined;
}

/**
 * `repeated` says that the events are written already, the last of them at `last`. `wrong` carries the last revision
 * of the stream. `unanswered` is a repetition that the real server fails at without a word.
 */
export type Decision =
  | { readonly kind: 'write'; readonly current: number; readonly isSoftDeleted: boolean }
  | { readonly kind: 'repeated'; readonly last: number }
  | { readonly kind: 'wrong'; readonly current: number }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'unanswered' };

/** Decides on events with these ids at this expected version. */
export function decideAppend(context: WriteContext, expected: number, ids: readonly string[]): Decision {
  const current = context.stream.last;
  if (current === TOMBSTONE_REVISION) return { kind: 'deleted' };
  if (expected === Expected.streamExists) {
    if (isSoftDeleted(context.stream.metadata)) return { kind: 'deleted' };
    // metadata alone makes a stream exist
    if (current < 0 && context.metastreamLast < 0) return { kind: 'wrong', current };
  }
  if (expected === Expected.any || expected === Expected.streamExists) return decideByIds(context, ids);
  if (expected < current) return decideInThePast(context, expected, ids);
  return expected > current ? { kind: 'wrong', current } : write(context);
}

/** Without a revision, the first id decides: unknown in this stream, all are written; known, all must be known. */
function decideByIds(context: WriteContext, ids: readonly string[]): Decision {
  const revisions = ids.map((id) => revisionOf(context, id));
  const [first] = revisions;
  if (first === undefined) return write(context);
  if (revisions.includes(undefined)) return { kind: 'wrong', current: context.stream.last };
  const last = revisions.at(-1)!;
  return last < first - 1 ? { kind: 'unanswered' } : { kind: 'repeated', last };
}

function revisionOf({ name, known }: WriteContext, id: string): number | undefined {
  const first = known(id);
  return first?.stream === name ? first.revision : undefined;
}

/** Below the last revision, exactly the events that follow the expected revision are a repetition. */
function decideInThePast(context: WriteContext, expected: number, ids: readonly string[]): Decision {
  const current = context.stream.last;
  const strangerAt = ids.findIndex((id, index) => !isAt(context, id, expected + 1 + index));
  if (strangerAt === -1 && ids.length > 0) return { kind: 'repeated', last: expected + ids.length };
  const returns = strangerAt === 0 && expected === Expected.noStream && isSoftDeleted(context.stream.metadata);
  return returns ? write(context) : { kind: 'wrong', current };
}

function isAt({ name, stream, known }: WriteContext, id: string, revision: number): boolean {
  const first = known(id);
  return (first?.stream === name && first.revision === revision) || stream.recordAt(revision)?.id === id;
}

const write = ({ stream }: WriteContext): Decision => ({
  kind: 'write',
  current: stream.last,
  isSoftDeleted: isSoftDeleted(stream.metadata),
});
