import { type PackedState, StatePacker, unpackState } from '../domain/pack.ts';
import { STATE_SCHEMA_VERSION } from '../domain/snapshot.ts';
import { emptyState } from '../domain/state.ts';
import { isPoolError } from '../model/errors.ts';
import type { EventStore, Snapshot } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { AuditProjection } from '../projections/audit.ts';
import { PoolReadings } from '../projections/readings.ts';
import { readRange } from './log-streams.ts';
import { VERSION } from './version.ts';

interface SavedReadings {
  /** Of the event at the snapshot's revision: by it a log is known to be the one that the snapshot was taken of. */
  readonly lastEventId: string;
  readonly state: PackedState;
  readonly projections: Readonly<Record<string, unknown>>;
  readonly audit: unknown;
}

const ENDED_AT_ONCE = 2_048;

/** The readings of a pool with what is refused of it beside, and how both outlive a restart. */
export class Readings extends PoolReadings {
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

  /** Of this very moment; most of it is written down by and by, with `pause` between parts that take about a ms each. */
  async snapshot(pause: () => Promise<void>): Promise<Snapshot> {
    const { revision } = this.state;
    const packer = new StatePacker(this.state);
    const [projections, audit] = [this.save(), this.audit.save()];
    const lastEventId = this.lastEventId ?? '';
    while (packer.step(ENDED_AT_ONCE)) await pause();
    const state: SavedReadings = { lastEventId, state: packer.packed(), projections, audit };
    return { revision, schemaVersion: STATE_SCHEMA_VERSION, codeVersion: VERSION, state };
  }

  /** Goes on from a snapshot. False if it is of another version, or is none of ours. */
  restore(snapshot: Snapshot): boolean {
    if (snapshot.schemaVersion !== STATE_SCHEMA_VERSION || snapshot.codeVersion !== VERSION) return false;
    const saved = snapshot.state as SavedReadings;
    const state = unpackState(saved.state);
    if (state.revision !== snapshot.revision) return false;
    this.load(state, saved.projections, saved.lastEventId);
    this.audit.load(saved.audit as ReturnType<AuditProjection['save']>);
    return true;
  }

  /** As before the first event. */
  forget(): void {
    this.load(emptyState(), {}, null);
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
  readings: Readings,
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
    else if (!readings.restore(snapshot)) ignore('of another version');
  } catch (error) {
    readings.forget();
    if (isPoolError(error) && error.code === 'LOG_UNAVAILABLE') throw error;
    logger.warn({ err: error }, 'a damaged snapshot is ignored');
  }
}

/** The log still holds the last event that the snapshot has folded: it was not set back, and is no other. */
async function isOf(store: EventStore, stream: string, { revision, state }: Snapshot): Promise<boolean> {
  for await (const [event] of store.read(stream, { from: revision, limit: 1 }))
    return event?.revision === revision && event.id === (state as Partial<SavedReadings> | null)?.lastEventId;
  return false;
}

/** Folds every event after those that are folded, up to the end of the log. */
export async function readUp(
  readings: PoolReadings,
  store: EventStore,
  stream: string,
  signal?: AbortSignal,
): Promise<void> {
  for await (const events of readRange<RecordedPoolEvent>(store, stream, readings.state.revision + 1)) {
    signal?.throwIfAborted();
    readings.fold(events);
  }
}
