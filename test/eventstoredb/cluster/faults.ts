import type { ClusterNode, TestCluster } from '../../support/eventstoredb/cluster/cluster.ts';

/** Short times for what takes seconds in earnest, in the same proportions; each node that is asked in vain costs one of them. */
export const FAST =
  '&defaultDeadline=200&keepAliveInterval=400&keepAliveTimeout=200&gossipTimeout=150&discoveryInterval=20';

/** Something that befalls the leader, or the way to it. It lasts until `mend`, however long that takes. */
export interface Fault {
  readonly name: string;
  /** Also in the short run. */
  readonly short?: true;
  readonly begin: (cluster: TestCluster) => Promise<void> | void;
}

const next = (cluster: TestCluster): ClusterNode => cluster.followers[0]!;

/** The leader goes away by `how`; the others have elected another and know that it is gone. */
function leaderGoes(cluster: TestCluster, how: (leader: ClusterNode) => Promise<void> | void) {
  const leader = cluster.leader!;
  const gone = how(leader);
  cluster.elect(next(cluster));
  return gone;
}

/** The others still name it, over some rounds of asking, and then have another. */
async function noticedLate(cluster: TestCluster, how: (leader: ClusterNode) => Promise<void> | void): Promise<void> {
  for (const node of cluster.followers) node.loseTouch();
  await how(cluster.leader!);
  await new Promise((resolve) => setTimeout(resolve, 250));
  cluster.elect(next(cluster));
  for (const node of cluster.followers) node.rejoin();
  cluster.leader!.rejoin();
}

export const FAULTS: readonly Fault[] = [
  { name: 'the leader is killed', short: true, begin: (cluster) => leaderGoes(cluster, (leader) => leader.kill()) },
  { name: 'the leader freezes', begin: (cluster) => leaderGoes(cluster, (leader) => leader.freeze()) },
  { name: 'the leader is cut off', begin: (cluster) => leaderGoes(cluster, (leader) => leader.cutOff()) },
  {
    name: 'the leader freezes, and the others go on naming it',
    short: true,
    begin: (c) => noticedLate(c, (leader) => leader.freeze()),
  },
  { name: 'the leader dies, and the others go on naming it', begin: (c) => noticedLate(c, (leader) => leader.kill()) },
  {
    name: 'the leader freezes, and one follower names it for ever',
    short: true,
    begin: (cluster) => {
      cluster.followers[1]!.loseTouch();
      leaderGoes(cluster, (leader) => leader.freeze());
    },
  },
  { name: 'leadership moves while all stay up', short: true, begin: (cluster) => cluster.elect(next(cluster)) },
  {
    name: 'leadership moves, and a follower names the old leader',
    begin: (cluster) => {
      cluster.followers[1]!.loseTouch();
      cluster.elect(next(cluster));
    },
  },
  {
    name: 'nobody leads for a while',
    begin: async (cluster) => {
      const elected = next(cluster);
      cluster.elect(undefined);
      await new Promise((resolve) => setTimeout(resolve, 200));
      cluster.elect(elected);
    },
  },
  {
    name: 'the leader and a follower freeze: gossip of one node is left',
    begin: (cluster) => {
      const elected = next(cluster);
      cluster.followers[1]!.freeze();
      cluster.leader!.freeze();
      cluster.elect(elected);
    },
  },
  {
    name: 'the leader starts again at another port',
    short: true,
    begin: (cluster) => leaderGoes(cluster, (leader) => leader.restart(false)),
  },
  {
    name: 'the leader starts again at another port and leads',
    begin: (cluster) => cluster.leader!.restart(false),
  },
  {
    name: 'the leader freezes and wakes in the belief that it leads, with what was sent to it meanwhile',
    short: true,
    begin: async (cluster) => {
      const frozen = cluster.leader!;
      leaderGoes(cluster, (leader) => leader.freeze());
      await new Promise((resolve) => setTimeout(resolve, 400));
      frozen.wakeUnaware();
    },
  },
];

/** All nodes are up, in touch, and agree. */
export async function mend(cluster: TestCluster): Promise<void> {
  for (const node of cluster.nodes) if (node.isDown) await node.restart();
  for (const node of cluster.nodes) node.rejoin();
}
