import type { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js';
import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import { HandlerException, invalidArgument } from '../grpc/status.ts';
import { ANY, type ExpectedVersion, expectedRevision, NO_STREAM_EXPECTED, STREAM_EXISTS } from './numbers.ts';
import { parseUuid, uuidFromHalves } from './uuid.ts';

/** What Append, Delete and Tombstone have in common in their options. */
interface RevisionOptions {
  getStreamIdentifier(): StreamIdentifier | undefined;
  hasRevision(): boolean;
  getRevision(): string;
  hasNoStream(): boolean;
  hasAny(): boolean;
  hasStreamExists(): boolean;
}

export function uuidFrom(uuid: UUID | undefined): string {
  if (uuid === undefined) throw new HandlerException("Value cannot be null. (Parameter 'dto')");
  if (uuid.hasString()) return parseUuid(uuid.getString());
  const halves = uuid.getStructured();
  if (halves === undefined) throw new HandlerException("Invalid argument: None (Parameter 'dto')");
  return uuidFromHalves(halves.getMostSignificantBits(), halves.getLeastSignificantBits());
}

/** The stream's name, which may be empty; without an identifier the server fails. */
export function streamNameFrom(identifier: StreamIdentifier | undefined): string {
  if (identifier === undefined) throw new HandlerException('Object reference not set to an instance of an object.');
  return Buffer.from(identifier.getStreamName_asU8()).toString('utf8');
}

/** `request` names the message in the error text, as in `AppendReq`. */
export function expectedFrom(options: RevisionOptions, request: string): ExpectedVersion {
  if (options.hasRevision()) return expectedRevision(options.getRevision());
  return withoutRevision(options, `${request}+Types+Options+ExpectedStreamRevisionOneofCase`);
}

export function batchExpectedFrom(options: BatchAppendReq.Options): ExpectedVersion {
  if (options.hasStreamPosition()) return expectedRevision(options.getStreamPosition());
  return withoutRevision(options, 'BatchAppendReq+Types+Options+ExpectedStreamPositionOneofCase');
}

function withoutRevision(
  options: Pick<RevisionOptions, 'hasNoStream' | 'hasAny' | 'hasStreamExists'>,
  type: string,
): ExpectedVersion {
  if (options.hasNoStream()) return NO_STREAM_EXPECTED;
  if (options.hasAny()) return ANY;
  if (options.hasStreamExists()) return STREAM_EXISTS;
  throw invalidArgument('None', type);
}
