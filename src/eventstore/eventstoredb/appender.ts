import { randomUUID } from 'node:crypto';
import { batchRequest, type Encoded, type Expected } from './codec.ts';
import type { Connection } from './connection/connection.ts';
import { afterSilence } from './connection/silence.ts';
import type { BatchAppendCall, BatchAppendResp } from './messages.ts';
import { type Answer, answerOfBrokenCall, answerOfError } from './outcome.ts';

type Settle = (answer: Answer) => void;

/**
 * Appends over one BatchAppend call that stays open. Every append has a timer of its own, because a batch that the server never
 * answers has no other end; once it has fired, the node is left, and an answer that comes after all is ignored.
 */
export class Appender {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  #lane: Promise<Lane> | undefined;

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  append(stream: string, events: readonly Encoded[], expected: Expected): Promise<Answer> {
    return new Promise((resolve) => {
      let sentOn: Lane | undefined;
      let settled = false;
      const settle: Settle = (answer) => {
        settled = true;
        answered();
        resolve(answer);
      };
      const answered = afterSilence(this.#timeoutMs, () => {
        const cause = new Error(`EventStoreDB has not answered an append within ${this.#timeoutMs} ms`);
        settle(sentOn === undefined ? { kind: 'refused', cause, retryable: true } : { kind: 'unknown', cause });
        sentOn?.giveUp(cause);
      });
      this.#openLane().then(
        (lane) => {
          if (settled) return; // in time's name it was not sent: it may not be sent now
          sentOn = lane;
          const correlationId = randomUUID();
          lane.send(correlationId, batchRequest(stream, events, expected, correlationId), settle);
        },
        (cause: unknown) => settle({ kind: 'refused', cause, retryable: true }),
      );
    });
  }

  #openLane(): Promise<Lane> {
    this.#lane ??= this.#connection.openBatchAppend().then(
      (call) =>
        new Lane(call, this.#connection, () => {
          this.#lane = undefined;
        }),
      (error: unknown) => {
        this.#lane = undefined;
        throw error;
      },
    );
    return this.#lane;
  }
}

/** One open call. Answers find their batches by correlation id; when the call ends, every batch in flight on it is in doubt. */
class Lane {
  readonly #call: BatchAppendCall;
  readonly #connection: Connection;
  readonly #inFlight = new Map<string, Settle>();
  readonly #ended: () => void;
  #open = true;

  constructor(call: BatchAppendCall, connection: Connection, ended: () => void) {
    this.#call = call;
    this.#connection = connection;
    this.#ended = ended;
    call.on('data', (response: BatchAppendResp) => this.#answered(response));
    call.on('error', (error: Error) => this.#end((inFlight) => answerOfBrokenCall(error, inFlight)));
    call.on('end', () => {
      this.#end(() => ({ kind: 'unknown', cause: new Error('EventStoreDB has ended the call') }));
      call.end(); // else it is open on this side for ever, and `close` waits for it
    });
  }

  send(correlationId: string, request: ReturnType<typeof batchRequest>, settle: Settle): void {
    if (this.#open) {
      this.#inFlight.set(correlationId, settle);
      this.#call.write(request);
    } else settle({ kind: 'refused', cause: new Error('the call has ended'), retryable: true });
  }

  giveUp(cause: unknown): void {
    this.#end(() => ({ kind: 'unknown', cause }));
    this.#call.cancel();
    this.#connection.silent(this.#call);
  }

  #answered(response: BatchAppendResp): void {
    const id = correlationOf(response);
    const settle = this.#inFlight.get(id);
    if (settle === undefined) return;
    this.#inFlight.delete(id);
    const error = response.getError();
    const answer: Answer =
      error === undefined ? { kind: 'success', revision: revisionOf(response) } : answerOfError(error);
    settle(answer);
    if (answer.kind === 'unknown') this.#connection.undecided(this.#call);
  }

  #end(answer: (inFlight: number) => Answer): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ended();
    const settles = [...this.#inFlight.values()];
    this.#inFlight.clear();
    for (const settle of settles) settle(answer(settles.length));
  }
}

function revisionOf(response: BatchAppendResp): number {
  const success = response.getSuccess();
  return success === undefined || !success.hasCurrentRevision() ? -1 : Number(success.getCurrentRevision());
}

/** As text, also where the server gives it as two halves. */
function correlationOf(response: BatchAppendResp): string {
  const uuid = response.getCorrelationId();
  const halves = uuid?.getStructured();
  if (halves === undefined) return uuid?.getString() ?? '';
  const hex = [halves.getMostSignificantBits(), halves.getLeastSignificantBits()]
    .map((half) => BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0'))
    .join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
