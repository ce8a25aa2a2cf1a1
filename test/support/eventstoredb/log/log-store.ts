import type { EventLog, StreamView } from './event-log.ts';
import { METASTREAM_METADATA, NO_METADATA, parseStreamMetadata, type StreamMetadata } from './metadata.ts';
import {
  type Draft,
  isMetastream,
  type LogRecord,
  metastreamOf,
  NO_STREAM,
  NOTHING,
  originalOf,
  TOMBSTONE_REVISION,
} from './record.ts';

/** Where the first record begins: a real log never has an event at position 0. */
const FIRST_POSITION = 1024;
/** About what a record takes up on the disk of a real server besides its texts. */
const RECORD_OVERHEAD_BYTES = 97;

interface StreamEntry {
  readonly name: string;
  readonly records: LogRecord[];
  committedCount: number;
  tombstone: LogRecord | undefined;
  isTombstoneCommitted: boolean;
  /** The metadata that the last event of this (metadata) stream stands for, kept with that event. */
  parsed: { record: LogRecord; metadata: StreamMetadata } | undefined;
}

/**
 * The whole log in memory. A record is staged when it is decided and committed when it is durable: writers decide on
 * what is staged, readers see what is committed.
 */
export class LogStore implements EventLog {
  readonly #records: LogRecord[] = [];
  readonly #streams = new Map<string, StreamEntry>();
  readonly #types = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  #committedCount = 0;

  get size(): number {
    return this.#committedCount;
  }

  recordAt(index: number): LogRecord {
    return this.#records[index]!;
  }

  stream(name: string): StreamView {
    const entry = this.#streams.get(name);
    return {
      last: this.#committedLast(name),
      metadata: this.#readerMetadata(name),
      recordAt: (revision) => (revision < (entry?.committedCount ?? 0) ? entry?.records[revision] : undefined),
    };
  }

  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The stream with what is staged. A metadata stream that was never written shares the tombstone of its stream. */
  stagedStream(name: string): StreamView {
    const entry = this.#streams.get(name);
    return {
      last: this.#stagedLast(name),
      metadata: this.#writerMetadata(name),
      recordAt: (revision) => entry?.records[revision],
    };
  }

  /** Gives the draft its place; the record is not visible until commit(). */
  stage(draft: Draft): LogRecord {
    const entry = this.#entryOf(draft.stream);
    const position = this.#records.at(-1)?.endPosition ?? FIRST_POSITION;
    const revision = draft.kind === 'event' ? entry.records.length : TOMBSTONE_REVISION;
    const record: LogRecord = {
      kind: draft.kind,
      position,
      endPosition: position + sizeOf(draft),
      stream: entry.name,
      revision,
      id: draft.id,
      type: this.#sharedType(draft.type),
      isJson: draft.isJson,
      createdMs: draft.createdMs,
      data: draft.data,
      metadata: draft.metadata.length === 0 ? NOTHING : draft.metadata,
    };
    this.#records.push(record);
    if (record.kind === 'event') entry.records.push(record);
    if (record.kind === 'tombstone') entry.tombstone = record;
    return record;
  }

  /** How many records there are, staged ones included. */
  get stagedSize(): number {
    return this.#records.length;
  }

  /** Makes the first `count` records visible and tells the listeners. */
  commit(count: number): void {
    for (let index = this.#committedCount; index < count; index++) this.#commitRecord(this.#records[index]!);
    this.#committedCount = Math.max(count, this.#committedCount);
    for (const listener of this.#listeners) listener();
  }

  /** One string for all events of a type: a million of them would be as large as their data. */
  #sharedType(type: string): string {
    const shared = this.#types.get(type);
    if (shared !== undefined) return shared;
    this.#types.set(type, type);
    return type;
  }

  #commitRecord(record: LogRecord): void {
    const entry = this.#entryOf(record.stream);
    if (record.kind === 'event') entry.committedCount++;
    if (record.kind === 'tombstone') entry.isTombstoneCommitted = true;
  }

  #entryOf(stream: string): StreamEntry {
    const known = this.#streams.get(stream);
    if (known !== undefined) return known;
    const entry: StreamEntry = {
      name: stream,
      records: [],
      committedCount: 0,
      tombstone: undefined,
      isTombstoneCommitted: false,
      parsed: undefined,
    };
    this.#streams.set(stream, entry);
    return entry;
  }

  #committedLast(name: string): number {
    if (isMetastream(name) && this.#committedLast(originalOf(name)) === TOMBSTONE_REVISION) return TOMBSTONE_REVISION;
    const entry = this.#streams.get(name);
    if (entry?.isTombstoneCommitted) return TOMBSTONE_REVISION;
    return (entry?.committedCount ?? 0) - 1;
  }

  #stagedLast(name: string): number {
    const entry = this.#streams.get(name);
    if (entry?.tombstone !== undefined) return TOMBSTONE_REVISION;
    if (entry !== undefined && entry.records.length > 0) return entry.records.length - 1;
    return isMetastream(name) ? this.#committedLast(name) : NO_STREAM;
  }

  /** What readers go by: JSON only, and a metadata stream keeps its last event, whatever its own metadata says. */
  #readerMetadata(name: string): StreamMetadata {
    if (isMetastream(name)) return METASTREAM_METADATA;
    const metastream = metastreamOf(name);
    const record = this.#streams.get(metastream)?.records[this.#committedLast(metastream)];
    return record === undefined || !record.isJson ? NO_METADATA : this.#parsed(metastream, record);
  }

  /** What the writer goes by: any last event, of metadata streams too, whatever it says it is. */
  #writerMetadata(name: string): StreamMetadata {
    const metastream = metastreamOf(name);
    const record = this.#streams.get(metastream)?.records[this.#stagedLast(metastream)];
    return record === undefined ? NO_METADATA : this.#parsed(metastream, record);
  }

  #parsed(metastream: string, record: LogRecord): StreamMetadata {
    const entry = this.#entryOf(metastream);
    if (entry.parsed?.record !== record) entry.parsed = { record, metadata: parseStreamMetadata(record.data) };
    return entry.parsed.metadata;
  }
}

const sizeOf = (draft: Draft): number =>
  RECORD_OVERHEAD_BYTES +
  Buffer.byteLength(draft.stream) +
  Buffer.byteLength(draft.type) +
  draft.data.length +
  draft.metadata.length;
