import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { AppendResult } from '../../src/model/event-store.ts';
import type { AuditEvent, NewEvent, PoolEvent, RecordedPoolEvent } from '../../src/model/events.ts';
import { auditStream, poolStream } from '../../src/model/ids.ts';
import { LogChecker } from '../../src/testing/index.ts';

export const POOL_ID = 'p';
const POOL = poolStream(POOL_ID);
const AUDIT = auditStream(POOL_ID);

/** A fact of the log that a caller's answer is held against. */
export interface Granted {
  readonly revision: number;
  readonly token: number;
}

/**
 * The one log that all writers of a world share. Each event is folded and checked at the moment it is committed, whoever's
 * append brought it there and however late.
 */
export class CheckedLog extends MemoryEventStore {
  readonly checker = new LogChecker();
  readonly violations: string[] = [];
  readonly grants = new Map<string, Granted>();
  readonly ends = new Map<string, RecordedPoolEvent>();
  /** What each actor's commands have caused. Every caller of a world has an actor of its own for each call. */
  readonly byActor = new Map<string, RecordedPoolEvent[]>();
  readonly ids: string[] = [];
  readonly types = new Map<string, number>();
  readonly #causes = new Set<string>();
  #cause = '';
  readonly #decisions = new Set<string>();
  auditLength = 0;
  /** Appends that came too late, of the living and of the dead: none may be taken. */
  staleRefused = 0;

  /** It is looked back on to its beginning. */
  constructor() {
    super({ events: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY });
  }

  get head(): number {
    return this.ids.length - 1;
  }

  override append(stream: string, events: readonly NewEvent[], expected: number): AppendResult {
    const result = super.append(stream, events, expected);
    if (stream === POOL && result.outcome === 'conflict') this.staleRefused += 1;
    if (result.outcome !== 'appended') return result;
    if (stream === POOL && result.revision > this.head) {
      if (expected !== this.head) this.violations.push(`an append at ${expected} was taken after ${this.head}`);
      this.#take(events, expected);
    }
    if (stream === AUDIT && result.revision >= this.auditLength) this.#audit(events);
    return result;
  }

  #take(events: readonly NewEvent[], expected: number): void {
    for (const [i, event] of events.entries()) {
      const recorded = { ...(event as PoolEvent), stream: POOL, revision: expected + 1 + i } as RecordedPoolEvent;
      this.ids.push(event.id);
      this.types.set(event.type, (this.types.get(event.type) ?? 0) + 1);
      this.#note(recorded);
      if (this.violations.length > 0) continue;
      try {
        this.checker.take(recorded);
      } catch (error) {
        this.violations.push(error instanceof Error ? error.message : String(error));
      }
    }
  }

  #note(event: RecordedPoolEvent): void {
    const { actor, causationId } = event.metadata;
    const known = this.byActor.get(actor);
    if (known === undefined) this.byActor.set(actor, [event]);
    else known.push(event);
    if (causationId !== this.#cause && this.#causes.has(causationId))
      this.violations.push(`@${event.revision} ${event.type}: command ${causationId} is recorded a second time`);
    this.#cause = causationId;
    this.#causes.add(causationId);
    if (event.type === 'LeaseGranted')
      this.grants.set(event.data.leaseId, { revision: event.revision, token: event.data.token });
    else if (event.type === 'LeaseReleased' || event.type === 'LeaseReclaimed')
      this.ends.set(event.data.leaseId, event);
  }

  #audit(events: readonly NewEvent[]): void {
    this.auditLength += events.length;
    for (const event of events as readonly AuditEvent[]) {
      if (event.type !== 'RequestRefused') continue;
      const { decisionId } = event.data.refusal;
      if (this.#decisions.has(decisionId)) this.violations.push(`audit: decision ${decisionId} is recorded twice`);
      this.#decisions.add(decisionId);
    }
  }
}
