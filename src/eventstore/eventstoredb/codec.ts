import type { NewEvent, RecordedEvent } from '../../model/events.ts';
import { damagedAt } from '../errors.ts';
import { takeDataJson } from '../event-json.ts';
import { BatchAppendReq, Empty, type RecordedMessage, streamIdentifier, UUID } from './messages.ts';

/** `at` and `schemaVersion` have no place in EventStoreDB's own envelope; the names with $ are those that its projections follow. */
interface CustomMetadata {
  readonly $correlationId: string;
  readonly $causationId: string;
  readonly schemaVersion: number;
  readonly at: number;
  /** The rest of the event's metadata, under its own names. */
  readonly [name: string]: unknown;
}

/** An event as it is sent: the message, and the bytes of it that count for the server's limit of an append. */
export interface Encoded {
  readonly message: InstanceType<typeof BatchAppendReq.ProposedMessage>;
  readonly dataBytes: number;
  readonly messageBytes: number;
}

/** Field tags, lengths, the two keys of the metadata map and the content type; an upper bound. */
const FRAME_BYTES = 160;

/** The event must be plain JSON (`refuseBatch`). */
export function encodeEvent(event: NewEvent): Encoded {
  const { id, type, schemaVersion, at } = event;
  const { correlationId, causationId, ...rest } = event.metadata;
  const custom: CustomMetadata = {
    $correlationId: correlationId,
    $causationId: causationId,
    ...rest,
    schemaVersion,
    at,
  };
  return encode(id, type, 'application/json', takeDataJson(event), Buffer.from(JSON.stringify(custom)));
}

export type ContentType = 'application/json' | 'application/octet-stream';

export function encode(id: string, type: string, contentType: ContentType, data: Buffer, custom?: Buffer): Encoded {
  const message = new BatchAppendReq.ProposedMessage();
  const uuid = new UUID();
  uuid.setString(id);
  message.setId(uuid);
  message.getMetadataMap().set('type', type).set('content-type', contentType);
  message.setData(data);
  if (custom !== undefined) message.setCustomMetadata(custom);
  return {
    message,
    dataBytes: data.length,
    messageBytes: data.length + (custom?.length ?? 0) + FRAME_BYTES + type.length,
  };
}

/** Where an append goes: after exactly this revision (-1: no stream yet), or wherever the stream ends. */
export type Expected = number | 'any';

export function batchRequest(stream: string, events: readonly Encoded[], expected: Expected, correlationId: string) {
  const options = new BatchAppendReq.Options();
  options.setStreamIdentifier(streamIdentifier(stream));
  if (expected === 'any') options.setAny(new Empty());
  else if (expected < 0) options.setNoStream(new Empty());
  else options.setStreamPosition(String(expected));
  const request = new BatchAppendReq();
  const uuid = new UUID();
  uuid.setString(correlationId);
  request.setCorrelationId(uuid);
  request.setOptions(options);
  request.setProposedMessagesList(events.map(({ message }) => message));
  request.setIsFinal(true);
  return request;
}

/** Throws DamagedLogError, naming the place, for what `encodeEvent` has not written. */
export function decodeEvent(message: RecordedMessage): RecordedEvent {
  const stream = streamOf(message);
  const revision = Number(message.getStreamRevision());
  const map = message.getMetadataMap();
  const custom = parse(
    message.getCustomMetadata_asU8(),
    stream,
    revision,
    'metadata',
  ) as Partial<CustomMetadata> | null;
  const { schemaVersion, at, $correlationId, $causationId, ...rest } = custom ?? {};
  if (schemaVersion === undefined || at === undefined || $correlationId === undefined || $causationId === undefined)
    throw damagedAt(stream, revision, 'the metadata is not that of this program');
  return {
    id: message.getId()!.getString(),
    type: map.get('type') ?? '',
    schemaVersion,
    at,
    data: parse(message.getData_asU8(), stream, revision, 'data'),
    metadata: { correlationId: $correlationId, causationId: $causationId, ...(rest as { actor: string }) },
    stream,
    revision,
  };
}

export const streamOf = (message: RecordedMessage): string =>
  Buffer.from(message.getStreamIdentifier()!.getStreamName_asU8()).toString();

function parse(bytes: Uint8Array, stream: string, revision: number, what: string): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  try {
    return JSON.parse(text);
  } catch {
    throw damagedAt(stream, revision, `the ${what} is no JSON`);
  }
}
