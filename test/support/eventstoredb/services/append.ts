import type { AppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { Call } from '../grpc/call.ts';
import { commitTimeout, HandlerException, maximumAppendSizeExceeded, streamDeleted } from '../grpc/status.ts';
import { expectedFrom, streamNameFrom } from '../proto/decode.ts';
import {
  type ExpectedOption,
  encodeAppendSuccess,
  encodeAppendWrongVersion,
  expectedOption,
} from '../proto/encode-append.ts';
import { appendedEvent, MAX_APPEND_BYTES } from '../proto/events.ts';
import { streams } from '../proto/generated.ts';
import type { Outcome, ProposedEvent } from '../write/writer.ts';
import { assertServes, type ServerContext } from './server-context.ts';

/** Streams.Append: options, then events, one a message; carried out when the client half-closes. */
export const append =
  (context: ServerContext) =>
  (call: Call): void => {
    let pending: PendingAppend | undefined;
    call.onMessage((bytes) => {
      const request = streams.AppendReq.deserializeBinary(bytes);
      if (pending === undefined) pending = new PendingAppend(request.getOptions());
      else pending.add(request.getProposedMessage());
    });
    call.onHalfClose(() => {
      if (pending === undefined) throw new HandlerException('Operation is not valid due to the current state.');
      assertServes(context, call);
      pending.commit(context, call);
    });
  };

class PendingAppend {
  readonly #stream: string;
  readonly #expectedVersion: number;
  readonly #expectedOption: ExpectedOption;
  readonly #events: ProposedEvent[] = [];
  #bytes = 0;

  constructor(options: AppendReq.Options | undefined) {
    if (options === undefined) throw new HandlerException('The first message must hold the options.');
    const expected = expectedFrom(options, 'AppendReq');
    this.#expectedVersion = expected.version;
    this.#expectedOption = expectedOption(expected, options.hasRevision() ? options.getRevision() : undefined);
    this.#stream = streamNameFrom(options.getStreamIdentifier());
  }

  add(message: AppendReq.ProposedMessage | undefined): void {
    if (message === undefined) throw new HandlerException('Every message after the first must hold an event.');
    const event = appendedEvent(message, () => this.#addBytes(message.getData_asU8().length));
    this.#events.push(event);
  }

  commit({ writer }: ServerContext, call: Call): void {
    if (this.#stream === '') throw new HandlerException('eventStreamId');
    writer.append(this.#stream, this.#expectedVersion, this.#events, (outcome) =>
      call.run(() => this.#answer(call, outcome)),
    );
  }

  #addBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_APPEND_BYTES) throw maximumAppendSizeExceeded(MAX_APPEND_BYTES);
  }

  #answer(call: Call, outcome: Outcome): void {
    if (outcome.kind === 'timeout') throw commitTimeout();
    if (outcome.kind === 'deleted') throw streamDeleted(this.#stream);
    const isSuccess = outcome.kind === 'success';
    call.write(
      isSuccess ? encodeAppendSuccess(outcome) : encodeAppendWrongVersion(this.#expectedOption, outcome.current),
    );
    call.end();
  }
}
