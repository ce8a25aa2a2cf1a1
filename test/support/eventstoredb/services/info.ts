import type { Member, Standing } from '../cluster/standing.ts';
import type { Call } from '../grpc/call.ts';
import { ticksSinceEpoch } from '../proto/encode-read.ts';
import { features, gossip, shared } from '../proto/generated.ts';
import { uuidHalves } from '../proto/uuid.ts';

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

/** Gossip.Read: what the node holds to be true of each member. */
export function gossipRead(standing: Standing): (call: Call) => void {
  return (call) => {
    call.onMessage(() => {
      const members = standing.members().map(memberInfo);
      call.write(new gossip.ClusterInfo().setMembersList(members).serializeBinary());
      call.end();
    });
  };
}

function memberInfo({ instanceId, state, isAlive, host, port }: Member) {
  const { mostSignificant, leastSignificant } = uuidHalves(instanceId);
  const id = new shared.UUID.Structured()
    .setMostSignificantBits(mostSignificant)
    .setLeastSignificantBits(leastSignificant);
  return new gossip.MemberInfo()
    .setInstanceId(new shared.UUID().setStructured(id))
    .setTimeStamp(ticksSinceEpoch(Date.now()))
    .setState(gossip.MemberInfo.VNodeState[state])
    .setIsAlive(isAlive)
    .setHttpEndPoint(new gossip.EndPoint().setAddress(host).setPort(port));
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
