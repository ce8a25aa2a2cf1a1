import { StatePacker, type StatePart, StateUnpacker } from '../domain/ledger/pack.ts';
import { STATE_SCHEMA_VERSION } from '../domain/snapshot.ts';
import { emptyState } from '../domain/state.ts';
import { readRange } from '../eventstore/read-range.ts';
import { isPoolError } from '../model/errors.ts';
import type { EventStore, Snapshot } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { VERSION } from '../model/version.ts';
import { AuditProjection } from '../projections/audit.ts';
import type { SavedChunk, SavedIndex } from '../projections/block-index.ts';
import { PoolReadings } from '../projections/readings.ts';
import { nextTurn } from '../time/turn.ts';

/** The first part of a snapshot. */
interface SavedHead {
  /** Of the event at the snapshot's revision: by it a log is known to be the one that the snapshot was taken of. */
  readonly lastEventId: string;
  readonly projections: Readonly<Record<string, unknown>>;
  readonly audit: ReturnType<AuditProjection['save']>;
  readonly events: Omit<SavedIndex, 'chunks'>;
  readonly refusals: Omit<SavedIndex, 'chunks'>;
}

type SavedHeadPart = { readonly head: SavedHead };
type StateRest = Extract<StatePart, { readonly rest: unknown }>;
type SavedPart = SavedHeadPart | { readonly events: SavedChunk } | { readonly refusals: SavedChunk };

/** The readings of a pool with what is refused of it beside, and how both outlive a restart. */
export class ReadModel extends PoolReadings {
  readonly audit = new AuditProjection();
  readonly #audited = new Map<number, RecordedAuditEvent>();

  /** Refusals in any order: the gaps between them are filled by others'. Those that are known are passed over. */
  audited(events: readonly RecordedAuditEvent[]): void {
    for (const event of events) if (event.revision > this.audit.revision) this.#audited.set(event.revision, event);
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) this.audit.apply(next);
  }

  /** As the store reads them, in order: what is missing before them it does not keep any more. */
  auditRead(events: readonly RecordedAuditEvent[]): void {
    for (const event of events) {
      if (event.revision > this.audit.revision) this.audit.apply(event);
      this.#audited.delete(event.revision);
    }
    this.audited([]);
  }

  /** Of this very moment; most of it is written down by and by, as its parts are taken. */
  snapshot(): Snapshot {
    const { revision } = this.state;
    const packer = new StatePacker(this.state);
    const [events, refusals] = [this.index.still(), this.audit.index.still()];
    const head: SavedHead = {
      lastEventId: this.lastEventId ?? '',
      projections: this.save(),
      audit: this.audit.save(),
      events: events.head,
      refusals: refusals.head,
    };
    function* parts(): Generator<SavedPart | StatePart> {
      yield { head };
      yield* packer.parts();
      for (const chunk of events.chunks()) yield { events: chunk };
      for (const chunk of refusals.chunks()) yield { refusals: chunk };
    }
    return { revision, schemaVersion: STATE_SCHEMA_VERSION, codeVersion: VERSION, parts: parts() };
  }

  /**
   * Goes on from a snapshot, a part in each turn of the event loop. False if it is of another version. If it is none of ours it throws
   * whatever it meets, and `forget` is called for.
   */
  async restore(snapshot: Snapshot): Promise<boolean> {
    if (snapshot.schemaVersion !== STATE_SCHEMA_VERSION || snapshot.codeVersion !== VERSION) return false;
    const [{ head }, { rest }, ...parts] = snapshot.parts as [SavedHeadPart, StateRest, ...(SavedPart | StatePart)[]];
    const unpacker = new StateUnpacker(rest);
    this.index.begin(head.events);
    this.audit.index.begin(head.refusals);
    for (const part of parts) {
      if ('events' in part) this.index.takeChunk(part.events);
      else if ('refusals' in part) this.audit.index.takeChunk(part.refusals);
      else if (!('head' in part)) unpacker.take(part);
      await nextTurn();
    }
    const state = unpacker.state();
    if (state.revision !== snapshot.revision) throw new RangeError(`its state is of revision ${state.revision}`);
    this.load(state, head.projections, head.lastEventId);
    this.audit.load(head.audit);
    return true;
  }

  /** As before the first event. */
  forget(): void {
    this.load(emptyState(), {}, null);
    this.index.reset();
    this.audit.reset();
  }

  #takeNext(): RecordedAuditEvent | undefined {
    const revision = this.audit.revision + 1;
    const event = this.#audited.get(revision);
    this.#audited.delete(revision);
    return event;
  }
}

/** Goes on from the last snapshot that is of use; from the first event if there is none. */
export async function restoreSnapshot(
  readings: ReadModel,
  store: EventStore,
  stream: string,
  logger: Logger,
): Promise<void> {
  try {
    const snapshot = await store.snapshots.load(stream);
    if (snapshot === undefined) return;
    const { revision, codeVersion } = snapshot;
    const ignore = (why: string) => logger.warn({ stream, revision, codeVersion }, `a snapshot ${why} is ignored`);
    if (!(await isOf(store, stream, snapshot))) ignore('of another log, or of one that has lost its end,');
    else if (!(await readings.restore(snapshot))) ignore('of another version');
  } catch (error) {
    readings.forget();
    if (isPoolError(error) && error.code === 'LOG_UNAVAILABLE') throw error;
    logger.warn({ err: error }, 'a damaged snapshot is ignored');
  }
}

/** The log still holds the last event that the snapshot has folded: it was not set back, and is no other. */
async function isOf(store: EventStore, stream: string, { revision, parts }: Snapshot): Promise<boolean> {
  const [first] = parts as Iterable<SavedHeadPart | undefined>;
  for await (const [event] of store.read(stream, { from: revision, limit: 1 }))
    return event?.revision === revision && event.id === first?.head?.lastEventId;
  return false;
}

export interface ReadUpOptions {
  readonly signal?: AbortSignal;
  /** Told after each page. */
  readonly reached?: (revision: number) => void;
}

/** Folds every event after those that are folded, up to the end of the log; a page in each turn of the event loop. */
export async function readUp(
  readings: PoolReadings,
  store: EventStore,
  stream: string,
  { signal, reached = () => undefined }: ReadUpOptions = {},
): Promise<void> {
  const from = readings.state.revision + 1;
  const range = { signal, turn: nextTurn };
  for await (const events of readRange<RecordedPoolEvent>(store, stream, from, undefined, range)) {
    readings.fold(events);
    reached(readings.state.revision);
  }
}
