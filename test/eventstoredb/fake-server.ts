import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Call } from '../support/eventstoredb/grpc/call.ts';
import { createGrpcServer, type Handler } from '../support/eventstoredb/grpc/server.ts';
import type { LogRecord } from '../support/eventstoredb/log/record.ts';
import { encodeReadAnswer } from '../support/eventstoredb/proto/encode-read.ts';
import { Any, GoogleEmpty, shared, status, streams } from '../support/eventstoredb/proto/generated.ts';

type Batch = InstanceType<typeof streams.BatchAppendReq>;

/** A server in this process that answers each batch, and each read, as a test wants it; it keeps nothing. */
export async function startFakeServer(onBatch: (batch: Batch, call: Call) => void, onRead?: (call: Call) => void) {
  const batchAppend: Handler = (call) => {
    call.onMessage((bytes) => onBatch(streams.BatchAppendReq.deserializeBinary(bytes), call));
  };
  const handlers = new Map([['/event_store.client.streams.Streams/BatchAppend', batchAppend]]);
  if (onRead !== undefined)
    handlers.set('/event_store.client.streams.Streams/Read', (call) => call.onMessage(() => onRead(call)));
  const server = createGrpcServer(handlers);
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    stop: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

/** An event as a read gives it: the first of its stream. */
export function eventWithId(id: string): Uint8Array {
  const event: LogRecord = {
    kind: 'event',
    position: 1_024,
    endPosition: 2_048,
    stream: 'pool-a',
    revision: 0,
    id,
    type: 'Happened',
    isJson: true,
    createdMs: 0,
    data: Buffer.from('{}'),
    metadata: Buffer.from('{}'),
  };
  return encodeReadAnswer({ kind: 'event', resolved: { event } }, 'string');
}

const answerTo = (batch: Batch) => new streams.BatchAppendResp().setCorrelationId(batch.getCorrelationId());

export function success(batch: Batch, revision: number): Uint8Array {
  const done = new streams.BatchAppendResp.Success()
    .setCurrentRevision(String(revision))
    .setNoPosition(new GoogleEmpty());
  return answerTo(batch).setSuccess(done).serializeBinary();
}

/** An error whose details are of the given type, such as `Timeout`. */
export function refusal(batch: Batch, type: string, details: { serializeBinary(): Uint8Array }): Uint8Array {
  const packed = new Any();
  packed.pack(details.serializeBinary(), `event_store.client.${type}`);
  return answerTo(batch).setError(new status.Status().setMessage(type).setDetails(packed)).serializeBinary();
}

export const DETAILS = {
  Timeout: new shared.Timeout(),
  Unknown: new shared.Unknown(),
  AccessDenied: new shared.AccessDenied(),
  BadRequest: new shared.BadRequest(),
  MaximumAppendSizeExceeded: new shared.MaximumAppendSizeExceeded(),
  StreamDeleted: new shared.StreamDeleted(),
  WrongExpectedVersion: new shared.WrongExpectedVersion().setCurrentStreamRevision('0'),
  NeverHeardOf: new shared.Empty(),
};

/** The correlation id as the two halves that the server uses for its time-outs. */
export function withStructuredId(batch: Batch): Batch {
  const hex = batch.getCorrelationId()!.getString().replaceAll('-', '');
  const half = (text: string) => String(BigInt.asIntN(64, BigInt(`0x${text}`)));
  const halves = new shared.UUID.Structured()
    .setMostSignificantBits(half(hex.slice(0, 16)))
    .setLeastSignificantBits(half(hex.slice(16)));
  return batch.setCorrelationId(new shared.UUID().setStructured(halves));
}
