import { randomUUID } from 'node:crypto';

/** The address that clients are to reach a node at. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A node as gossip tells of it. */
export interface Member extends Endpoint {
  readonly instanceId: string;
  readonly state: 'LEADER' | 'FOLLOWER' | 'UNKNOWN' | 'READONLYREPLICA';
  readonly isAlive: boolean;
}

/** What a node holds to be true of its cluster, asked at each call: it may be wrong. */
export interface Standing {
  /** Among them the node itself. */
  members(): readonly Member[];
  /** Whether it takes itself for the leader. */
  leads(): boolean;
}

/** The leader that the node knows of, if it knows of one. */
export const leaderOf = (standing: Standing): Endpoint | undefined =>
  standing.members().find(({ state, isAlive }) => state === 'LEADER' && isAlive);

/** A server that is no cluster: one member, itself, as the leader. */
export function alone(endpoint: () => Endpoint): Standing {
  const instanceId = randomUUID();
  return { members: () => [{ ...endpoint(), instanceId, state: 'LEADER', isAlive: true }], leads: () => true };
}
