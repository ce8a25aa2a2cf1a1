/** The revision of a tombstone; on the wire it is 2^63-1 (recorded: `$streamDeleted` events). */
export const TOMBSTONE_REVISION = Number.POSITIVE_INFINITY;

/** The revision of a stream that holds nothing. */
export const NO_STREAM = -1;

/**
 * One record of the log. `event` and `tombstone` are what readers see; `none` is the trace of an append without
 * events, which takes up a position and nothing else.
 */
export interface LogRecord {
  readonly kind: 'event' | 'tombstone' | 'none';
  /** Where the record begins in the log; strictly rising. */
  readonly position: number;
  /** Where the next record begins. */
  readonly endPosition: number;
  readonly stream: string;
  readonly revision: number;
  /** A uuid in small letters with dashes. */
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly createdMs: number;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

/** A record before the log has given it a place. */
export type Draft = Omit<LogRecord, 'position' | 'endPosition' | 'revision'>;

export const NOTHING = Buffer.alloc(0);

/** The metadata stream of NAME is `$$NAME`. */
export const metastreamOf = (stream: string): string => `$$${stream}`;
export const isMetastream = (stream: string): boolean => stream.startsWith('$$');
export const originalOf = (metastream: string): string => metastream.slice(2);

export const metadataDraft = (stream: string, id: string, json: string, createdMs: number): Draft => ({
  kind: 'event',
  stream: metastreamOf(stream),
  id,
  type: '$metadata',
  isJson: true,
  createdMs,
  data: Buffer.from(json),
  metadata: NOTHING,
});

export const tombstoneDraft = (stream: string, id: string, createdMs: number): Draft => ({
  kind: 'tombstone',
  stream,
  id,
  type: '$streamDeleted',
  isJson: false,
  createdMs,
  data: NOTHING,
  metadata: NOTHING,
});

export const emptyAppendDraft = (stream: string, id: string, createdMs: number): Draft => ({
  kind: 'none',
  stream,
  id,
  type: '',
  isJson: false,
  createdMs,
  data: NOTHING,
  metadata: NOTHING,
});
