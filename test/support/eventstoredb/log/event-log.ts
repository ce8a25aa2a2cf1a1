import type { StreamMetadata } from './metadata.ts';
import type { LogRecord } from './record.ts';

/**
 * What the read side needs of a log, and all it knows of one. Everything it shows is committed; it may grow between
 * two looks, never within one, and never changes what was shown.
 */
export interface EventLog {
  /** How many records are committed. Records are counted from 0 in the order of writing. */
  readonly size: number;
  recordAt(index: number): LogRecord;
  stream(name: string): StreamView;
  /** Calls `listener` after each commit, until the returned function is called. */
  onCommit(listener: () => void): () => void;
}

/** A stream as it is committed, before retention hides any of it. */
export interface StreamView {
  /** The last revision, NO_STREAM or TOMBSTONE_REVISION. */
  readonly last: number;
  readonly metadata: StreamMetadata;
  /** The event of this revision, also one that retention hides; undefined beyond `last`. */
  recordAt(revision: number): LogRecord | undefined;
}
