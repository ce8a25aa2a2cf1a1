import type { Command, FollowUp } from '../../model/commands.ts';
import {
  type EventData,
  type EventMetadata,
  type EventType,
  type RecordedPoolEvent,
  SCHEMA_VERSIONS,
} from '../../model/events.ts';
import type { BoundKey } from '../../model/idempotency.ts';
import { eventId, poolStream } from '../../model/ids.ts';
import { evolve } from '../evolve.ts';
import type { Journal } from '../ledger/journal.ts';
import type { LeaseRecord, PoolState } from '../state.ts';

const NO_EVENTS: RecordedPoolEvent[] = [];
/** About so many events a command causes at most, so that it holds the event loop for a few ms only: the rest is left to follow-ups. */
export const EVENTS_AT_ONCE = 64;

const NOTHING_MORE: FollowUp[] = [];
const NO_LEASES: (LeaseRecord | undefined)[] = [];

/**
 * One command being decided. `emit` builds an event complete, as it will be recorded if the append succeeds, and folds
 * it at once, so that whatever is decided next sees it.
 */
export class Decision {
  readonly state: PoolState;
  readonly command: Command;
  /** Never before the last event: the log's time does not go back. */
  readonly at: number;
  /** Made with the first event, of that length: one event is what most commands cause. */
  events: RecordedPoolEvent[] = NO_EVENTS;
  /** For each event the lease that it grants or ends. */
  leases: (LeaseRecord | undefined)[] = NO_LEASES;
  readonly journal: Journal | undefined;
  /** What is to be decided next, as there was no room for it. */
  more: FollowUp[] = NOTHING_MORE;
  readonly #eventsAtOnce: number;
  /** The command's key: the first event binds it. */
  key: BoundKey | undefined;

  constructor(state: PoolState, command: Command, journal: Journal | undefined, eventsAtOnce: number) {
    this.state = state;
    this.command = command;
    this.at = Math.max(command.at, state.at);
    this.journal = journal;
    this.key = undefined;
    this.#eventsAtOnce = eventsAtOnce;
  }

  /** How many more events the command should cause. What goes on in parts causes one at least, so that it comes to an end. */
  get room(): number {
    return this.#eventsAtOnce - this.events.length;
  }

  follow(next: FollowUp): void {
    if (this.more.length === 0) this.more = [next];
    else this.more.push(next);
  }

  /** `correlationId`: the command that began it all, where that is another one. */
  emit<T extends EventType>(type: T, data: EventData[T], correlationId: string = this.command.commandId): void {
    const { state } = this;
    const event = {
      id: this.#nextEventId(),
      type,
      schemaVersion: SCHEMA_VERSIONS[type],
      at: this.at,
      data,
      metadata: this.#metadata(correlationId),
      stream: state.stream === '' ? poolStream((data as { poolId: string }).poolId) : state.stream,
      revision: state.revision + 1,
    } as unknown as RecordedPoolEvent;
    const lease = evolve(state, event, this.journal);
    if (this.events.length === 0) {
      this.events = [event];
      this.leases = [lease];
    } else {
      this.events.push(event);
      this.leases.push(lease);
    }
  }

  #nextEventId(): string {
    const { commandId, firstEventId } = this.command;
    const n = this.events.length + 1;
    return n === 1 && firstEventId !== undefined ? firstEventId : eventId(commandId, n);
  }

  #metadata(correlationId: string): EventMetadata {
    const { commandId: causationId, actor } = this.command;
    if (this.key === undefined || this.events.length > 0) return { correlationId, causationId, actor };
    return { correlationId, causationId, actor, key: this.key };
  }
}
