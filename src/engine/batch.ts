import type { Answer, Decided, DecisionContext } from '../domain/decide/answer.ts';
import { EVENTS_AT_ONCE } from '../domain/decide/decision.ts';
import { decide } from '../domain/decide.ts';
import type { Journal } from '../domain/ledger/journal.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import { type AppendLimits, withinLimits } from '../eventstore/append-limits.ts';
import type { FollowUp } from '../model/commands.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import type { Call } from './call.ts';

/** About so many events are appended together at most. */
const BATCH_EVENTS = 256;

/** What is appended together, and what each call is answered once it is. */
export interface Batch {
  readonly calls: readonly Call[];
  readonly answers: readonly Answer[];
  readonly events: readonly RecordedPoolEvent[];
  /** For each event the lease that it grants or ends. */
  readonly leases: readonly (LeaseRecord | undefined)[];
  readonly expectedRevision: number;
  /** What is left of its commands, each thing once. */
  readonly more: readonly FollowUp[];
}

/**
 * A batch being put together. Its lists are those of the first decision until there is a second: most batches of a caller that waits
 * for each answer are of one, and an empty list that grows takes room for 17 entries.
 */
export class BatchBuilder implements Batch {
  calls: Call[] = NOTHING;
  answers: Answer[] = NOTHING;
  events: RecordedPoolEvent[] = NOTHING;
  leases: (LeaseRecord | undefined)[] = NOTHING;
  more: readonly FollowUp[] = NOTHING;
  /** Of its events, as they are sent. */
  bytes = 0;
  readonly expectedRevision: number;

  constructor(expectedRevision: number) {
    this.expectedRevision = expectedRevision;
  }

  add(call: Call, { events, leases, answer, more }: Decided): void {
    for (const next of more) if (!this.more.includes(next)) this.more = [...this.more, next];
    if (this.calls.length === 0) {
      this.calls = [call];
      this.answers = [answer];
      this.events = events;
      this.leases = leases;
      return;
    }
    this.calls.push(call);
    this.answers.push(answer);
    if (events.length === 0) return;
    if (this.events.length === 0) [this.events, this.leases] = [[], []];
    for (let n = 0; n < events.length; n++) {
      this.events.push(events[n]!);
      this.leases.push(leases[n]);
    }
  }
}

const NOTHING: never[] = [];

export interface Decider {
  readonly state: PoolState;
  readonly journal: Journal;
  readonly context: DecisionContext;
  readonly limits: AppendLimits;
  readonly logger: Logger;
  /** The event loop has been held for long enough: what is left has its turn after it has gone round. */
  readonly isOver: () => boolean;
  /** What goes on with a command that was decided in part. */
  readonly following: (next: FollowUp) => Call;
  /** About to be decided: the one place where a shape becomes the present one. */
  readonly deciding: (call: Call) => void;
}

/**
 * Decides calls one after the other, each on what the ones before it left, until the batch is full, for the store or for the event loop: it
 * is cut at a command's border and answers how many of the calls it took. With what these leave to be done it goes on behind them, while
 * there is room. A command that no append could ever hold is refused before anything is sent.
 */
export function decideBatch(calls: readonly Call[], batch: BatchBuilder, decider: Decider): number {
  const taken = decideCalls(calls, batch, decider);
  while (taken === calls.length && batch.more.length > 0) {
    const [next, ...rest] = batch.more;
    batch.more = rest;
    if (decideCalls([decider.following(next!)], batch, decider) === 1) continue;
    batch.more = [next!, ...rest];
    break;
  }
  return taken;
}

function decideCalls(calls: readonly Call[], batch: BatchBuilder, decider: Decider): number {
  const { journal, limits } = decider;
  for (let i = 0; i < calls.length; i++) {
    const call = calls[i]!;
    if (batch.events.length >= BATCH_EVENTS || (batch.calls.length > 0 && decider.isOver())) return i;
    if (call.dropped) continue;
    const mark = journal.mark();
    const decided = decideOne(call, mark, decider, EVENTS_AT_ONCE);
    if (decided === undefined) continue;
    const { events } = decided;
    const grown = withinLimits(limits, batch.events.length, batch.bytes, events);
    if (grown < 0) {
      journal.undoTo(mark);
      if (batch.events.length > 0) return i;
      const part = decidePart(call, mark, decider, decided);
      if (part === undefined) continue;
      batch.bytes = withinLimits(limits, 0, 0, part.events);
      batch.add(call, part);
      continue;
    }
    batch.bytes = grown;
    batch.add(call, decided);
  }
  return calls.length;
}

/** Alone it is too large for an append: decided again in ever smaller parts, until one fits or it cannot be parted. */
function decidePart(call: Call, mark: number, decider: Decider, whole: Decided): Decided | undefined {
  const { journal, limits } = decider;
  for (let most = Math.min(EVENTS_AT_ONCE, whole.events.length) >> 1; most > 0; most >>= 1) {
    const part = decideOne(call, mark, decider, most);
    if (part === undefined || withinLimits(limits, 0, 0, part.events) >= 0) return part;
    journal.undoTo(mark);
  }
  refuseImpossible(call, whole, decider);
  return undefined;
}

/** A decision that throws is a bug: what it did is undone, its caller is told, and the state stands as before. */
function decideOne(
  call: Call,
  mark: number,
  { state, context, journal, logger, deciding }: Decider,
  eventsAtOnce: number,
): Decided | undefined {
  try {
    deciding(call);
    return decide(state, call.command, context, journal, eventsAtOnce);
  } catch (error) {
    journal.undoTo(mark);
    logger.error({ err: error, command: call.command }, 'a command could not be decided');
    const details = { revision: state.revision, decisionId: call.command.commandId };
    call.failed(new PoolError('INTERNAL', `deciding ${call.command.type} failed`, { cause: error, details }));
    return undefined;
  }
}

function refuseImpossible(call: Call, { events }: Decided, { limits, logger }: Decider): void {
  const { type } = call.command;
  const message = `${type} causes ${events.length} events; one append holds ${limits.maxEvents} events and ${limits.maxBytes} bytes`;
  logger.error({ command: type, events: events.length }, message);
  call.failed(new PoolError('PAYLOAD_TOO_LARGE', message));
}
