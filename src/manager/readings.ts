import { deserializeState, STATE_SCHEMA_VERSION, serializeState } from '../domain/snapshot.ts';
import type { PoolState } from '../domain/state.ts';
import type { EventStore, Snapshot } from '../model/event-store.ts';
import type { RecordedAuditEvent } from '../model/events.ts';
import { auditStream } from '../model/ids.ts';
import type { Logger } from '../model/interfaces.ts';
import { AuditProjection } from '../projections/audit.ts';
import { LeaseHistoryProjection } from '../projections/lease-history.ts';
import { LeasesProjection } from '../projections/leases.ts';
import { MetricsProjection } from '../projections/metrics.ts';
import { ProjectionRunner } from '../projections/runner.ts';
import { UtilizationProjection } from '../projections/utilization.ts';
import { readTail } from './tail.ts';
import { VERSION } from './version.ts';

interface SavedReadings {
  readonly state: unknown;
  readonly projections: Readonly<Record<string, unknown>>;
  readonly audit: unknown;
}

/** Every reading side of a pool: folds of what is committed, and of nothing else. */
export class Readings {
  readonly utilization = new UtilizationProjection();
  readonly metrics = new MetricsProjection();
  readonly leases = new LeasesProjection();
  readonly history = new LeaseHistoryProjection();
  readonly audit = new AuditProjection();
  readonly runner = new ProjectionRunner([this.utilization, this.metrics, this.leases, this.history]);
  readonly #audited = new Map<number, RecordedAuditEvent>();

  /** The committed state. To be read at once, never to be changed or kept. */
  state(): PoolState {
    return this.runner.current();
  }

  /** Refusals in any order: the gaps between them are filled by others'. Those that are known are passed over. */
  audited(events: readonly RecordedAuditEvent[]): void {
    for (const event of events) if (event.revision > this.audit.revision) this.#audited.set(event.revision, event);
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) this.audit.apply(next);
  }

  snapshot(): Snapshot {
    const state = this.runner.current();
    const saved: SavedReadings = {
      state: serializeState(state),
      projections: this.runner.save(),
      audit: this.audit.save(),
    };
    return { revision: state.revision, schemaVersion: STATE_SCHEMA_VERSION, codeVersion: VERSION, state: saved };
  }

  /** Goes on from a snapshot. False if it is of another version, or is none of ours. */
  restore(snapshot: Snapshot): boolean {
    if (snapshot.schemaVersion !== STATE_SCHEMA_VERSION || snapshot.codeVersion !== VERSION) return false;
    const saved = snapshot.state as SavedReadings;
    const state = deserializeState(saved.state);
    if (state.revision !== snapshot.revision) return false;
    this.runner.load(state, saved.projections);
    this.audit.load(saved.audit as ReturnType<AuditProjection['save']>);
    return true;
  }

  #takeNext(): RecordedAuditEvent | undefined {
    const revision = this.audit.revision + 1;
    const event = this.#audited.get(revision);
    this.#audited.delete(revision);
    return event;
  }
}

/** Brings readings up to the end of the log: from the last snapshot that is of use, and every event after it. */
export async function readUp(
  readings: Readings,
  store: EventStore,
  stream: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await restoreSnapshot(readings, store, stream, logger);
  for await (const events of readTail(store, stream, readings.state().revision + 1)) {
    signal.throwIfAborted();
    readings.runner.enqueue(events);
    readings.runner.catchUp();
  }
}

async function restoreSnapshot(readings: Readings, store: EventStore, stream: string, logger: Logger): Promise<void> {
  try {
    const snapshot = await store.snapshots.load(stream);
    if (snapshot === undefined || readings.restore(snapshot)) return;
    logger.warn(
      { revision: snapshot.revision, codeVersion: snapshot.codeVersion },
      'a snapshot of another version is ignored',
    );
  } catch (error) {
    readings.runner.load(new Readings().state(), {});
    readings.audit.reset();
    logger.warn({ err: error }, 'a damaged snapshot is ignored');
  }
}

/** The refusals that are recorded since what is known. Their stream may be read late: no decision needs it. */
export async function readUpAudit(readings: Readings, store: EventStore, poolId: string): Promise<void> {
  const from = readings.audit.revision + 1;
  for await (const events of store.read(auditStream(poolId), { from }))
    readings.audited(events as readonly RecordedAuditEvent[]);
}
