import { randomUUID } from 'node:crypto';
import { encodeDrafts } from '../log/codec.ts';
import type { LogStore } from '../log/log-store.ts';
import { isSoftDeleted, SOFT_DELETED_JSON, withTruncateBefore } from '../log/metadata.ts';
import {
  type Draft,
  emptyAppendDraft,
  isMetastream,
  type LogRecord,
  metadataDraft,
  metastreamOf,
  NO_STREAM,
  originalOf,
  tombstoneDraft,
} from '../log/record.ts';
import { readableRecord } from '../read/retention.ts';
import { type Decision, decideAppend, type WriteContext } from './append-rules.ts';
import { KnownIds } from './known-ids.ts';

export interface ProposedEvent {
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

/** `last` is the revision of the last event sent; `position` is -1 where a reader could not read that event. */
export type Outcome =
  | { readonly kind: 'success'; readonly last: number; readonly position: number }
  | { readonly kind: 'wrong'; readonly current: number }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'timeout' };

/** Where entries become durable, in the order of appending. */
export interface Journal {
  append(entry: Buffer, onDurable: () => void): void;
  /** Calls back once everything appended so far is durable. */
  afterAppended(onDurable: () => void): void;
}

type ToWrite = Decision & { kind: 'write' };

export type Reply = (outcome: Outcome) => void;

/** How long an append waits for a commit that does not come: EventStoreDB's CommitTimeoutMs. */
const COMMIT_TIMEOUT_MS = 2_000;

/**
 * Decides appends and deletes in the order they come in. They are answered in that order, once what they wrote, or what
 * they were refused for, is durable.
 */
export class Writer {
  readonly #store: LogStore;
  readonly #journal: Journal;
  readonly #knownIds = new KnownIds();

  constructor(store: LogStore, journal: Journal) {
    this.#store = store;
    this.#journal = journal;
  }

  append(stream: string, expected: number, events: readonly ProposedEvent[], reply: Reply): void {
    const ids = events.map(({ id }) => id);
    const toWrite = this.#decide(stream, expected, ids, reply);
    if (toWrite !== undefined) this.#write(stream, toWrite, events, reply);
  }

  /** A soft delete: the stream's metadata becomes `$tb` 2^63-1 and nothing else. */
  delete(stream: string, expected: number, reply: Reply): void {
    const id = randomUUID();
    const toWrite = this.#decide(stream, expected, [id], reply);
    if (toWrite === undefined) return;
    const isMissing = toWrite.current < 0 && this.#store.stagedStream(metastreamOf(stream)).last < 0;
    if (isMissing) this.#journal.afterAppended(() => reply({ kind: 'wrong', current: NO_STREAM }));
    else this.#stageAll([metadataDraft(stream, id, SOFT_DELETED_JSON, Date.now())], toWrite.current, reply);
  }

  /** A hard delete: the stream never comes back. */
  tombstone(stream: string, expected: number, reply: Reply): void {
    const id = randomUUID();
    const toWrite = this.#decide(stream, expected, [id], reply);
    if (toWrite !== undefined) this.#stageAll([tombstoneDraft(stream, id, Date.now())], toWrite.current, reply);
  }

  /** What to write; undefined if nothing is to be written, which is replied here. */
  #decide(stream: string, expected: number, ids: readonly string[], reply: Reply): ToWrite | undefined {
    const decision = decideAppend(this.#contextOf(stream), expected, ids);
    if (decision.kind === 'write') return decision;
    if (decision.kind === 'repeated') this.#replyRepeated(stream, decision.last, reply);
    else if (decision.kind !== 'unanswered') this.#journal.afterAppended(() => reply(decision));
    return undefined;
  }

  #write(stream: string, decision: ToWrite, events: readonly ProposedEvent[], reply: Reply): void {
    const createdMs = Date.now();
    const drafts: Draft[] =
      events.length === 0
        ? [emptyAppendDraft(stream, randomUUID(), createdMs)]
        : events.map((event) => ({ kind: 'event', stream, createdMs, ...event }));
    const returned = decision.isSoftDeleted ? this.#returnDraft(stream, decision.current + 1, createdMs) : undefined;
    const rewritten = this.#rewrittenMetadata(stream, drafts, createdMs);
    const followUps = [returned, rewritten].filter((draft) => draft !== undefined);
    this.#stageAll(drafts, decision.current + events.length, reply, followUps);
  }

  /** The metadata event that brings a soft-deleted stream back: `$tb` becomes its first new revision. */
  #returnDraft(stream: string, revision: number, createdMs: number): Draft | undefined {
    const metastream = this.#store.stagedStream(metastreamOf(stream));
    const raw = metastream.recordAt(metastream.last)?.data;
    const json = raw && withTruncateBefore(raw, revision);
    return json === undefined ? undefined : metadataDraft(stream, randomUUID(), json, createdMs);
  }

  /** Metadata written for a soft-deleted stream brings it back too: it is written again with `$tb`. */
  #rewrittenMetadata(stream: string, drafts: readonly Draft[], createdMs: number): Draft | undefined {
    if (!isMetastream(stream)) return undefined;
    const original = originalOf(stream);
    const { last, metadata } = this.#store.stagedStream(original);
    if (!isSoftDeleted(metadata)) return undefined;
    const written = drafts.at(-1)!;
    if (written.kind === 'none') return this.#returnDraft(original, last + 1, createdMs);
    const json = withTruncateBefore(written.data, last + 1);
    return json === undefined ? undefined : metadataDraft(original, randomUUID(), json, createdMs);
  }

  #stageAll(drafts: readonly Draft[], last: number, reply: Reply, followUps: readonly Draft[] = []): void {
    const records = drafts.map((draft) => this.#stage(draft));
    for (const draft of followUps) this.#stage(draft);
    const size = this.#store.stagedSize;
    const position = records.at(-1)!.position;
    this.#journal.append(encodeDrafts([...drafts, ...followUps]), () => {
      this.#store.commit(size);
      reply({ kind: 'success', last, position });
    });
  }

  #stage(draft: Draft): LogRecord {
    const record = this.#store.stage(draft);
    if (record.kind !== 'none') this.#knownIds.remember(record.id, record);
    return record;
  }

  /** What is written but not yet durable cannot be vouched for: the repetition is dropped, and so times out. */
  #replyRepeated(stream: string, last: number, reply: Reply): void {
    const view = this.#store.stream(stream);
    if (view.last < last) setTimeout(() => reply({ kind: 'timeout' }), COMMIT_TIMEOUT_MS).unref();
    else reply({ kind: 'success', last, position: readableRecord(view, last, Date.now())?.position ?? -1 });
  }

  #contextOf(name: string): WriteContext {
    return {
      name,
      stream: this.#store.stagedStream(name),
      metastreamLast: this.#store.stagedStream(metastreamOf(name)).last,
      known: (id) => this.#knownIds.get(id),
    };
  }
}
