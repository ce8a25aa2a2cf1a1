import { randomUUID } from 'node:crypto';
import { connect } from 'node:http2';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrameReader, frameHeader } from '../support/eventstoredb/grpc/frames.ts';
import { GoogleEmpty, shared, streams } from '../support/eventstoredb/proto/generated.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';

let server: EventStoreDbProcess;

beforeEach(async () => {
  server = await startEventStoreDb();
});
afterEach(() => server.stop());

const uuid = () => new shared.UUID().setString(randomUUID());

function batch(stream: string): Uint8Array {
  const event = new streams.BatchAppendReq.ProposedMessage().setId(uuid());
  event.getMetadataMap().set('type', 'thing').set('content-type', 'application/json');
  const options = new streams.BatchAppendReq.Options()
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(stream)))
    .setAny(new GoogleEmpty());
  return new streams.BatchAppendReq()
    .setCorrelationId(uuid())
    .setOptions(options)
    .setProposedMessagesList([event])
    .setIsFinal(true)
    .serializeBinary();
}

/** Sends the messages and the half-close in one write, so that all are there before anything can be durable. */
async function answersTo(messages: readonly Uint8Array[]): Promise<{ count: number; status: unknown }> {
  const session = connect(`http://127.0.0.1:${server.port}`);
  const call = session.request({
    ':method': 'POST',
    ':path': '/event_store.client.streams.Streams/BatchAppend',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const { promise, resolve, reject } = Promise.withResolvers<{ count: number; status: unknown }>();
  const frames = new FrameReader();
  let count = 0;
  let status: unknown;
  call.on('data', (chunk: Buffer) => {
    count += [...frames.push(chunk)].length;
  });
  call.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  call.on('error', reject).on('close', () => resolve({ count, status }));
  call.end(Buffer.concat(messages.flatMap((message) => [frameHeader(message.length), message])));
  try {
    return await promise;
  } finally {
    session.close();
  }
}

test('a half-close with batches in flight loses all answers but one, though all are written', async () => {
  expect(await answersTo(Array.from({ length: 5 }, () => batch('s')))).toEqual({ count: 1, status: '0' });
  const client = EventStoreDBClient.connectionString(server.url);
  let written = 0;
  for await (const _ of client.readStream('s')) written++;
  await client.dispose();
  expect(written).toBe(5);
});
