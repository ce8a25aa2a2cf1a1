import { leaderOf, type Standing } from '../cluster/standing.ts';
import type { Call } from '../grpc/call.ts';
import { noLeaderInfo, notLeader, type StatusError, serverNotReady } from '../grpc/status.ts';
import type { LogStore } from '../log/log-store.ts';
import type { Writer } from '../write/writer.ts';

/** What every service needs. */
export interface ServerContext {
  readonly store: LogStore;
  readonly writer: Writer;
  readonly standing: Standing;
  /** False for a while after the start, if so wished: a real server listens before it can serve. */
  isReady(): boolean;
}

/** Throws what a node answers that is not ready, or is not the leader that the call requires. */
export function assertServes(context: ServerContext, call: Call): void {
  if (!context.isReady()) throw serverNotReady();
  const refusal = refusalOfFollower(context, call);
  if (refusal !== undefined) throw refusal;
}

/** By `requires-leader` a node that does not lead names the leader; without it, it does what was asked in the leader's stead. */
export function refusalOfFollower({ standing }: ServerContext, call: Call): StatusError | undefined {
  if (!call.requiresLeader || standing.leads()) return undefined;
  const leader = leaderOf(standing);
  return leader === undefined ? noLeaderInfo() : notLeader(leader.host, leader.port);
}
