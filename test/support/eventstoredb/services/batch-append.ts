import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb.js';
import type { Call } from '../grpc/call.ts';
import { HandlerException, NO_LEADER_INFO, StatusError } from '../grpc/status.ts';
import { batchExpectedFrom, streamNameFrom, uuidFrom } from '../proto/decode.ts';
import {
  type BatchHead,
  badRequestStatus,
  encodeBatchError,
  encodeBatchOutcome,
  maximumSizeStatus,
  notHandledStatus,
  timeoutStatus,
} from '../proto/encode-batch.ts';
import { streamIdentifier } from '../proto/encode-read.ts';
import { batchedEvent, MAX_APPEND_BYTES } from '../proto/events.ts';
import { shared, streams } from '../proto/generated.ts';
import type { ExpectedVersion } from '../proto/numbers.ts';
import { EMPTY_UUID, uuidHalves } from '../proto/uuid.ts';
import type { ProposedEvent } from '../write/writer.ts';
import { refusalOfFollower, type ServerContext } from './server-context.ts';

/** How long a batch may take to become final: EventStoreDB's WriteTimeoutMs. A deadline can only shorten it. */
const WRITE_TIMEOUT_MS = 2_000;

/** A batch that is not final yet. */
interface PendingBatch {
  readonly stream: string;
  readonly expected: ExpectedVersion;
  readonly events: ProposedEvent[];
  bytes: number;
}

/** Streams.BatchAppend: many batches on one call, each of one or more messages with one correlation id. */
export const batchAppend =
  (context: ServerContext) =>
  (call: Call): void => {
    const worker = new BatchWorker(context, call);
    call.onMessage((bytes) => worker.receive(streams.BatchAppendReq.deserializeBinary(bytes)));
    call.onHalfClose(() => worker.halfClose());
  };

class BatchWorker {
  readonly #context: ServerContext;
  readonly #call: Call;
  readonly #pending = new Map<string, PendingBatch>();
  /** Batches handed to the writer less answers sent, whatever they answer: it can fall below 0. */
  #unansweredCount = 0;
  #isClosing = false;

  constructor(context: ServerContext, call: Call) {
    this.#context = context;
    this.#call = call;
  }

  receive(request: BatchAppendReq): void {
    try {
      this.#handle(request);
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  /**
   * After a half-close the next answer ends the call, and those behind it are lost (recorded): the server then sees
   * that it answers something it still owes. Without anything owed the call stays open.
   */
  halfClose(): void {
    this.#isClosing = true;
  }

  #handle(request: BatchAppendReq): void {
    const correlationId = uuidFrom(request.getCorrelationId());
    const options = request.getOptions();
    if (options !== undefined && !this.#open(correlationId, options, headOf(request))) return;
    const batch = this.#pending.get(correlationId);
    if (batch === undefined) return;
    this.#addEvents(batch, request);
    const head = { correlationId: request.getCorrelationId(), stream: streamIdentifier(batch.stream) };
    if (batch.bytes > MAX_APPEND_BYTES) {
      this.#pending.delete(correlationId);
      this.#send(encodeBatchError(head, maximumSizeStatus(MAX_APPEND_BYTES)));
    }
    if (request.getIsFinal() && this.#pending.delete(correlationId)) this.#commit(correlationId, batch, head);
  }

  /** Begins a batch, unless one is under way; false if its deadline is over already. */
  #open(correlationId: string, options: BatchAppendReq.Options, head: BatchHead): boolean {
    const timeoutMs = Math.min(remainingMs(options.getDeadline()), WRITE_TIMEOUT_MS);
    const stream = streamNameFrom(options.getStreamIdentifier());
    if (timeoutMs <= 0) {
      this.#send(encodeBatchError(head, timeoutStatus()));
      return false;
    }
    if (this.#pending.has(correlationId)) return true;
    this.#pending.set(correlationId, { stream, expected: batchExpectedFrom(options), events: [], bytes: 0 });
    this.#startTimer(correlationId, timeoutMs);
    return true;
  }

  /** The timer is of the correlation id and outlives its batch: a later batch with the id may fall to it. */
  #startTimer(correlationId: string, timeoutMs: number): void {
    setTimeout(() => this.#timeOut(correlationId), timeoutMs).unref();
  }

  #timeOut(correlationId: string): void {
    const batch = this.#pending.get(correlationId);
    if (batch === undefined || this.#call.signal.aborted) return;
    this.#pending.delete(correlationId);
    const head = { correlationId: structuredUuid(correlationId), stream: streamIdentifier(batch.stream) };
    this.#send(encodeBatchError(head, timeoutStatus()));
  }

  /** Events before a bad one stay with the batch: a further message may complete it. */
  #addEvents(batch: PendingBatch, request: BatchAppendReq): void {
    for (const message of request.getProposedMessagesList()) {
      const event = batchedEvent(message);
      batch.bytes += event.data.length;
      batch.events.push(event);
    }
  }

  #commit(correlationId: string, batch: PendingBatch, head: BatchHead): void {
    this.#unansweredCount++;
    if (correlationId === EMPTY_UUID) {
      throw new HandlerException("correlationId (Parameter 'correlationId should be non-empty GUID.')");
    }
    if (batch.stream === '') throw new HandlerException('eventStreamId');
    if (!this.#context.isReady()) {
      this.#send(encodeBatchError(head, notHandledStatus('Server Is Not Ready')));
      return;
    }
    const refusal = refusalOfFollower(this.#context, this.#call);
    if (refusal !== undefined) {
      this.#refuseAsFollower(head, refusal);
      return;
    }
    this.#context.writer.append(batch.stream, batch.expected.version, batch.events, (outcome) =>
      this.#send(encodeBatchOutcome(head, outcome, batch.expected, batch.stream)),
    );
  }

  /** Who leads is told by the end of the call, with whatever else is under way on it; that nobody leads by an answer. */
  #refuseAsFollower(head: BatchHead, refusal: StatusError): void {
    if (refusal.message === NO_LEADER_INFO) this.#send(encodeBatchError(head, notHandledStatus(NO_LEADER_INFO)));
    else this.#call.end(refusal);
  }

  /** A chunk without options has no stream to name in a refusal: the real server fails at that, and the call with it. */
  #refuse(request: BatchAppendReq, error: unknown): void {
    if (!(error instanceof HandlerException || error instanceof StatusError)) throw error;
    if (!request.hasOptions()) throw new HandlerException(error.message);
    this.#send(encodeBatchError(headOf(request), badRequestStatus(textOf(error))));
  }

  #send(answer: Uint8Array): void {
    this.#call.write(answer);
    if (--this.#unansweredCount >= 0 && this.#isClosing) this.#call.end();
  }
}

const headOf = (request: BatchAppendReq): BatchHead => ({
  correlationId: request.getCorrelationId(),
  stream: request.getOptions()?.getStreamIdentifier(),
});

/** A status is quoted as .NET prints one. */
const textOf = (error: Error): string =>
  error instanceof StatusError ? `Status(StatusCode="InvalidArgument", Detail="${error.message}")` : error.message;

const remainingMs = (deadline: Timestamp | undefined): number =>
  deadline === undefined
    ? Number.POSITIVE_INFINITY
    : deadline.getSeconds() * 1_000 + deadline.getNanos() / 1e6 - Date.now();

function structuredUuid(uuid: string): InstanceType<typeof shared.UUID> {
  const { mostSignificant, leastSignificant } = uuidHalves(uuid);
  return new shared.UUID().setStructured(
    new shared.UUID.Structured().setMostSignificantBits(mostSignificant).setLeastSignificantBits(leastSignificant),
  );
}
