import { type PackedState, StatePacker, unpackState } from '../domain/pack.ts';
import { STATE_SCHEMA_VERSION } from '../domain/snapshot.ts';
import { emptyState } from '../domain/state.ts';
import type { EventStore, Snapshot } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { AuditProjection } from '../projections/audit.ts';
import { PoolReadings } from '../projections/readings.ts';
import { readRange } from './log-streams.ts';
import { VERSION } from './version.ts';

interface SavedReadings {
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
    const [projections, audit] = [this.runner.save(), this.audit.save()];
    while (packer.step(ENDED_AT_ONCE)) await pause();
    const state: SavedReadings = { state: packer.packed(), projections, audit };
    return { revision, schemaVersion: STATE_SCHEMA_VERSION, codeVersion: VERSION, state };
  }

  /** Goes on from a snapshot. False if it is of another version, or is none of ours. */
  restore(snapshot: Snapshot): boolean {
    if (snapshot.schemaVersion !== STATE_SCHEMA_VERSION || snapshot.codeVersion !== VERSION) return false;
    const saved = snapshot.state as SavedReadings;
    const state = unpackState(saved.state);
    if (state.revision !== snapshot.revision) return false;
    this.runner.load(state, saved.projections);
    this.audit.load(saved.audit as ReturnType<AuditProjection['save']>);
    return true;
  }

  /** As before the first event. */
  forget(): void {
    this.runner.load(emptyState(), {});
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
    if (snapshot === undefined || readings.restore(snapshot)) return;
    logger.warn(
      { revision: snapshot.revision, codeVersion: snapshot.codeVersion },
      'a snapshot of another version is ignored',
    );
  } catch (error) {
    readings.forget();
    logger.warn({ err: error }, 'a damaged snapshot is ignored');
  }
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
    readings.enqueue(events);
    readings.runner.catchUp();
  }
}
