import type { AppendReq, BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import { HandlerException, requiredMetadataMissing } from '../grpc/status.ts';
import type { ProposedEvent } from '../write/writer.ts';
import { uuidFrom } from './decode.ts';
import { EMPTY_UUID } from './uuid.ts';

type ProposedMessage = AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage;

/** The most data that one append may hold, in bytes; type and custom metadata do not count (recorded). */
export const MAX_APPEND_BYTES = 1_048_576;

/** The event in a message of Append; `checkSize` comes between the checks that name what is missing and the rest. */
export function appendedEvent(message: AppendReq.ProposedMessage, checkSize: () => void): ProposedEvent {
  const metadata = message.getMetadataMap();
  for (const property of ['type', 'content-type']) {
    if (!metadata.has(property)) throw requiredMetadataMissing(property);
  }
  checkSize();
  return eventFrom(message, uuidFrom(message.getId()));
}

/** The event in a message of BatchAppend, which names what is missing by the runtime's own texts. */
export function batchedEvent(message: BatchAppendReq.ProposedMessage): ProposedEvent {
  const id = uuidFrom(message.getId());
  const metadata = message.getMetadataMap();
  if (!metadata.has('type') || !metadata.has('content-type')) {
    throw new HandlerException('The given key was not present in the dictionary.');
  }
  return eventFrom(message, id);
}

function eventFrom(message: ProposedMessage, id: string): ProposedEvent {
  const type = message.getMetadataMap().get('type') ?? '';
  if (id === EMPTY_UUID) throw new HandlerException("Empty eventId provided. (Parameter 'eventId')");
  if (type === '') throw new HandlerException("Empty eventType provided. (Parameter 'eventType')");
  return {
    id,
    type,
    isJson: message.getMetadataMap().get('content-type') === 'application/json',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}
