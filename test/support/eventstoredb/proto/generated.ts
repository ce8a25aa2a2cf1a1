import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';

const { Any } = any;
const { Empty: GoogleEmpty } = empty;

/**
 * The message classes that come with the client package. google-protobuf is pinned to the version that the client
 * depends on: messages of another copy do not fit into its own.
 */
export { Any, features, GoogleEmpty, gossip, shared, status, streams };
