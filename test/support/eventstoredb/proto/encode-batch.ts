import type { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js';
import type { Status } from '@eventstore/db-client/generated/status_pb.js';
import { StatusCode } from '../grpc/status.ts';
import { Expected } from '../write/append-rules.ts';
import type { Outcome } from '../write/writer.ts';
import { streamIdentifier } from './encode-read.ts';
import { Any, GoogleEmpty, shared, status, streams } from './generated.ts';
import { type ExpectedVersion, toUint64Text } from './numbers.ts';

/** The head of an answer: both fields come back as they were sent, absent ones absent. */
export interface BatchHead {
  readonly correlationId: UUID | undefined;
  readonly stream: StreamIdentifier | undefined;
}

export const encodeBatchError = (head: BatchHead, error: Status): Uint8Array =>
  response(head).setError(error).serializeBinary();

export function encodeBatchOutcome(
  head: BatchHead,
  outcome: Outcome,
  expected: ExpectedVersion,
  stream: string,
): Uint8Array {
  switch (outcome.kind) {
    case 'success':
      return response(head).setSuccess(success(outcome)).serializeBinary();
    case 'wrong':
      return encodeBatchError(head, wrongExpectedVersion(outcome.current, expected));
    case 'deleted':
      return encodeBatchError(head, streamDeletedStatus(stream));
    case 'timeout':
      return encodeBatchError(head, timeoutStatus());
  }
}

function response({ correlationId, stream }: BatchHead): InstanceType<typeof streams.BatchAppendResp> {
  return new streams.BatchAppendResp().setCorrelationId(correlationId).setStreamIdentifier(stream);
}

function success(outcome: Outcome & { kind: 'success' }): InstanceType<typeof streams.BatchAppendResp.Success> {
  const message = new streams.BatchAppendResp.Success();
  if (outcome.last < 0) message.setNoStream(new GoogleEmpty());
  else message.setCurrentRevision(String(outcome.last));
  if (outcome.position < 0) return message.setNoPosition(new GoogleEmpty());
  const position = String(outcome.position);
  return message.setPosition(new shared.AllStreamPosition().setCommitPosition(position).setPreparePosition(position));
}

export const badRequestStatus = (message: string): Status =>
  statusOf(StatusCode.invalidArgument, 'BadRequest', new shared.BadRequest().setMessage(message));

export const timeoutStatus = (): Status => statusOf(StatusCode.deadlineExceeded, 'Timeout', new shared.Timeout());

export const maximumSizeStatus = (maxBytes: number): Status =>
  statusOf(
    StatusCode.invalidArgument,
    'MaximumAppendSizeExceeded',
    new shared.MaximumAppendSizeExceeded().setMaxappendsize(maxBytes),
  );

/** "Not now", with the reason. Its code is left at 0, as the real server has it. */
export function notHandledStatus(reason: string): Status {
  const details = new Any();
  details.pack(new GoogleEmpty().serializeBinary(), 'google.protobuf.Empty');
  return new status.Status().setMessage(reason).setDetails(details);
}

const streamDeletedStatus = (stream: string): Status =>
  statusOf(
    StatusCode.notFound,
    'StreamDeleted',
    new shared.StreamDeleted().setStreamIdentifier(streamIdentifier(stream)),
  );

function wrongExpectedVersion(current: number, expected: ExpectedVersion): Status {
  const details = new shared.WrongExpectedVersion();
  if (current === -1) details.setCurrentNoStream(new GoogleEmpty());
  else details.setCurrentStreamRevision(toUint64Text(current));
  if (expected.version === Expected.any) details.setExpectedAny(new GoogleEmpty());
  else if (expected.version === Expected.noStream) details.setExpectedNoStream(new GoogleEmpty());
  else if (expected.version === Expected.streamExists) details.setExpectedStreamExists(new GoogleEmpty());
  else details.setExpectedStreamPosition(expected.text);
  return statusOf(StatusCode.alreadyExists, 'WrongExpectedVersion', details);
}

function statusOf(code: number, name: string, details: { serializeBinary(): Uint8Array }): Status {
  const packed = new Any();
  packed.pack(details.serializeBinary(), `event_store.client.${name}`);
  return new status.Status().setCode(code).setMessage(name).setDetails(packed);
}
