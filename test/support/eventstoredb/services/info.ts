import { randomUUID } from 'node:crypto';
import type { Call } from '../grpc/call.ts';
import { ticksSinceEpoch } from '../proto/encode-read.ts';
import { features, gossip, shared } from '../proto/generated.ts';
import { uuidHalves } from '../proto/uuid.ts';

/** The address that clients are to reach the server at. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const SERVER_VERSION = '24.6.0';
const STREAMS_SERVICE = 'event_store.client.streams.streams';

/** The methods that are there, in small letters, with what they can do. */
const METHODS: readonly (readonly [service: string, method: string, features: readonly string[]])[] = [
  [STREAMS_SERVICE, 'read', ['position', 'events']],
  [STREAMS_SERVICE, 'append', []],
  [STREAMS_SERVICE, 'delete', []],
  [STREAMS_SERVICE, 'tombstone', []],
  [STREAMS_SERVICE, 'batchappend', ['deadline_duration']],
  ['event_store.client.gossip.gossip', 'read', []],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods', []],
];

/** Gossip.Read: one member, this server, as the leader. */
export function gossipRead(endpointOf: () => Endpoint): (call: Call) => void {
  const instanceId = uuidHalves(randomUUID());
  return (call) => {
    call.onMessage(() => {
      const { host, port } = endpointOf();
      const member = new gossip.MemberInfo()
        .setInstanceId(
          new shared.UUID().setStructured(
            new shared.UUID.Structured()
              .setMostSignificantBits(instanceId.mostSignificant)
              .setLeastSignificantBits(instanceId.leastSignificant),
          ),
        )
        .setTimeStamp(ticksSinceEpoch(Date.now()))
        .setState(gossip.MemberInfo.VNodeState.LEADER)
        .setIsAlive(true)
        .setHttpEndPoint(new gossip.EndPoint().setAddress(host).setPort(port));
      call.write(new gossip.ClusterInfo().setMembersList([member]).serializeBinary());
      call.end();
    });
  };
}

/** ServerFeatures.GetSupportedMethods: what this server has, not all that a real one has. */
export function getSupportedMethods(call: Call): void {
  call.onMessage(() => {
    const methods = METHODS.map(([service, method, itsFeatures]) =>
      new features.SupportedMethod()
        .setServiceName(service)
        .setMethodName(method)
        .setFeaturesList([...itsFeatures]),
    );
    const response = new features.SupportedMethods().setMethodsList(methods).setEventStoreServerVersion(SERVER_VERSION);
    call.write(response.serializeBinary());
    call.end();
  });
}
