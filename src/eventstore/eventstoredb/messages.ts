import type { EventStoreDBClient } from '@eventstore/db-client';
import gossipServices from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import services from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';

/** The message classes and the stub that come with the client package; everything of EventStoreDB's protocol is in here. */
export const { StreamsClient } = services;
export const { GossipClient } = gossipServices;
export const { VNodeState } = gossip.MemberInfo;
export const { ReadReq, ReadResp, BatchAppendReq } = streams;
export const { Empty, StreamIdentifier, UUID, WrongExpectedVersion } = shared;

type Stub = InstanceType<typeof services.StreamsClient>;
export type BatchAppendCall = ReturnType<Stub['batchAppend']>;
export type ReadCall = ReturnType<Stub['read']>;
export type BatchAppendResp = streams.BatchAppendResp;
export type ReadRequest = streams.ReadReq;
export type ReadAnswer = streams.ReadResp;
export type RecordedMessage = streams.ReadResp.ReadEvent.RecordedEvent;
export type BatchError = NonNullable<ReturnType<BatchAppendResp['getError']>>;
export type ClusterInfo = gossip.ClusterInfo;
export type Client = EventStoreDBClient;

export function streamIdentifier(stream: string): shared.StreamIdentifier {
  const identifier = new StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream));
  return identifier;
}
