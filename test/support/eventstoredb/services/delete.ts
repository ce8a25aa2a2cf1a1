import type { StreamIdentifier } from '@eventstore/db-client/generated/shared_pb.js';
import type { Call } from '../grpc/call.ts';
import { commitTimeout, deleteWrongExpectedVersion, HandlerException, streamDeleted } from '../grpc/status.ts';
import { expectedFrom, streamNameFrom } from '../proto/decode.ts';
import { streams } from '../proto/generated.ts';
import { type ExpectedVersion, toInt64Text } from '../proto/numbers.ts';
import type { Outcome } from '../write/writer.ts';
import { assertServes, type ServerContext } from './server-context.ts';

/** Streams.Delete: a soft delete. */
export const softDelete =
  (context: ServerContext) =>
  (call: Call): void => {
    call.onMessage((bytes) => {
      const options = optionsOf(streams.DeleteReq.deserializeBinary(bytes));
      const expected = expectedFrom(options, 'DeleteReq');
      const stream = ready(context, call, options);
      context.writer.delete(stream, expected.version, (outcome) =>
        call.run(() => {
          const position = positionOf(outcome, stream, expected);
          const message = new streams.DeleteResp.Position().setCommitPosition(position).setPreparePosition(position);
          call.write(new streams.DeleteResp().setPosition(message).serializeBinary());
          call.end();
        }),
      );
    });
  };

/** Streams.Tombstone: a hard delete. */
export const tombstone =
  (context: ServerContext) =>
  (call: Call): void => {
    call.onMessage((bytes) => {
      const options = optionsOf(streams.TombstoneReq.deserializeBinary(bytes));
      const expected = expectedFrom(options, 'TombstoneReq');
      const stream = ready(context, call, options);
      context.writer.tombstone(stream, expected.version, (outcome) =>
        call.run(() => {
          const position = positionOf(outcome, stream, expected);
          const message = new streams.TombstoneResp.Position().setCommitPosition(position).setPreparePosition(position);
          call.write(new streams.TombstoneResp().setPosition(message).serializeBinary());
          call.end();
        }),
      );
    });
  };

function optionsOf<Options>(request: { getOptions(): Options | undefined }): Options {
  const options = request.getOptions();
  if (options === undefined) throw new HandlerException('Object reference not set to an instance of an object.');
  return options;
}

/** The stream's name, once it is certain that there is one and that the server serves. */
function ready(
  context: ServerContext,
  call: Call,
  options: { getStreamIdentifier(): StreamIdentifier | undefined },
): string {
  const stream = streamNameFrom(options.getStreamIdentifier());
  if (stream === '') throw new HandlerException('eventStreamId');
  assertServes(context, call);
  return stream;
}

/** The position of what the delete wrote, as text; throws what it was refused with. */
function positionOf(outcome: Outcome, stream: string, expected: ExpectedVersion): string {
  switch (outcome.kind) {
    case 'success':
      return String(outcome.position);
    case 'wrong':
      throw deleteWrongExpectedVersion(stream, expected.text, toInt64Text(outcome.current));
    case 'deleted':
      throw streamDeleted(stream);
    case 'timeout':
      throw commitTimeout();
  }
}
