import { setTimeout as sleep } from 'node:timers/promises';
import { PoolError } from '../../../model/errors.ts';
import { type ClusterInfo, VNodeState } from '../messages.ts';
import type { Node } from './node.ts';
import type { DiscoveryLimits, NodePreference } from './url.ts';

export interface DiscoveryOptions {
  /** HOST:PORT each, as the URL names them. */
  readonly seeds: readonly string[];
  readonly shown: string;
  readonly limits: DiscoveryLimits;
  /** Only the leader will do. */
  readonly requiresLeader: boolean;
  readonly connect: (node: string) => Node;
}

/** How long a node that left a call unanswered comes after another that says that it leads, ms. */
const SUSPECT_MS = 30_000;
/** A cluster has at most nine; more would be members that are gone for good. */
const MAX_KNOWN = 16;

interface Member {
  readonly name: string;
  readonly state: number;
  readonly isAlive: boolean;
}

/** Better first. */
const PREFERRED: Readonly<Record<NodePreference, readonly number[]>> = {
  leader: [VNodeState.LEADER],
  follower: [VNodeState.FOLLOWER],
  read_only_replica: [VNodeState.READONLYREPLICA, VNodeState.PREREADONLYREPLICA, VNodeState.READONLYLEADERLESS],
  random: [],
};
/** What can be read from. */
const READABLE: ReadonlySet<number> = new Set([
  VNodeState.LEADER,
  VNodeState.FOLLOWER,
  VNodeState.READONLYREPLICA,
  VNodeState.PREREADONLYREPLICA,
  VNodeState.READONLYLEADERLESS,
]);

/**
 * Looks for the leader of a cluster. All nodes that are known are asked at once, so that one that is dead or frozen costs nothing;
 * and what counts is only what a node says of itself, over the very connection that is then used: what others say of it may be
 * what was true before it froze. The client's own discovery asks one after the other, 5 s each, and believes the first answer.
 */
export class Discovery {
  readonly #options: DiscoveryOptions;
  /** Beside the seeds: members that gossip has named, the latest last. */
  #known: readonly string[] = [];
  readonly #suspectUntilMs = new Map<string, number>();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** The node has left a call unanswered, or cannot be reached. */
  suspect(node: string): void {
    this.#suspectUntilMs.set(node, performance.now() + SUSPECT_MS);
  }

  /** Another node has named it as the leader. */
  learn(nodes: readonly string[]): void {
    const others = this.#known.filter((known) => !nodes.includes(known));
    this.#known = [...others, ...nodes].slice(-MAX_KNOWN);
  }

  /** Rejects with LOG_UNAVAILABLE, saying what each node answered, after the last round. */
  async find(signal: AbortSignal): Promise<Node> {
    const { limits, shown } = this.#options;
    for (let round = 1; ; round++) {
      const found = new Round(this.#options, this, signal);
      const node = await found.ask([...new Set([...this.#options.seeds, ...this.#known])]);
      if (node !== undefined) return node;
      signal.throwIfAborted();
      if (round >= limits.maxRounds)
        throw new PoolError('LOG_UNAVAILABLE', `no node of ${shown} can be used: ${found.answers.join('; ')}`);
      await sleep(limits.intervalMs, undefined, { signal });
    }
  }

  isSuspect(node: string): boolean {
    return (this.#suspectUntilMs.get(node) ?? 0) > performance.now();
  }
}

/** One question to every node. Those that are named in the answers are asked, too. */
class Round {
  /** What each node said, for whoever has to find out why. */
  readonly answers: string[] = [];
  readonly #options: DiscoveryOptions;
  readonly #discovery: Discovery;
  readonly #signal: AbortSignal;
  readonly #asked = new Map<string, Node>();
  readonly #found = Promise.withResolvers<Node | undefined>();
  #waitsFor = 0;
  /** Will do if there is none better. */
  #second: { readonly node: Node; readonly rank: number } | undefined;
  #isOver = false;

  constructor(options: DiscoveryOptions, discovery: Discovery, signal: AbortSignal) {
    this.#options = options;
    this.#discovery = discovery;
    this.#signal = signal;
  }

  async ask(names: readonly string[]): Promise<Node | undefined> {
    const stop = () => this.#end(undefined);
    this.#signal.addEventListener('abort', stop);
    if (this.#signal.aborted) stop();
    for (const name of names) this.#ask(name);
    if (this.#waitsFor === 0) this.#end(undefined);
    const node = await this.#found.promise;
    this.#signal.removeEventListener('abort', stop);
    return node;
  }

  #ask(name: string): void {
    if (this.#isOver || this.#asked.has(name)) return;
    const node = this.#connect(name);
    if (node === undefined) return;
    this.#asked.set(name, node);
    this.#waitsFor += 1;
    node
      .gossip(this.#options.limits.gossipTimeoutMs)
      .then(
        (info) => this.#heard(node, membersOf(info)),
        (error: unknown) => void this.answers.push(`${name}: ${error instanceof Error ? error.message : error}`),
      )
      .finally(() => {
        this.#waitsFor -= 1;
        if (this.#waitsFor === 0) this.#end(this.#second?.node);
      });
  }

  /** Undefined, and said among the answers, where the client refuses the address that gossip has told. */
  #connect(name: string): Node | undefined {
    try {
      return this.#options.connect(name);
    } catch (error) {
      this.answers.push(`${name}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  #heard(node: Node, members: readonly Member[]): void {
    if (this.#isOver) return;
    this.#discovery.learn(members.map(({ name }) => name));
    const own = members.find(({ name }) => name === node.name);
    this.answers.push(`${node.name}: ${own === undefined ? 'is no member' : stateOf(own)}`);
    if (own?.isAlive === true) this.#offer(node, own.state);
    for (const { name } of members) this.#ask(name);
  }

  /** One that is as wished is taken at once; any other waits for a better one. */
  #offer(node: Node, state: number): void {
    const { limits, requiresLeader } = this.#options;
    if (requiresLeader ? state !== VNodeState.LEADER : !READABLE.has(state)) return;
    const wished = requiresLeader ? PREFERRED.leader : PREFERRED[limits.preference];
    const place = wished.indexOf(state);
    const suspect = this.#discovery.isSuspect(node.name);
    if (!suspect && (place === 0 || wished.length === 0)) {
      this.#end(node);
      return;
    }
    const rank = (suspect ? 100 : 0) + (place === -1 ? wished.length : place);
    if (this.#second === undefined || rank < this.#second.rank) this.#second = { node, rank };
  }

  #end(found: Node | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const node of this.#asked.values()) if (node !== found) void node.close();
    this.#found.resolve(found);
  }
}

const STATE_NAMES = Object.keys(VNodeState);
const stateOf = ({ state, isAlive }: Member): string =>
  isAlive ? (STATE_NAMES[state] ?? String(state)).toLowerCase() : 'not alive';

function membersOf(info: ClusterInfo): Member[] {
  return info.getMembersList().flatMap((member) => {
    const at = member.getHttpEndPoint();
    if (at === undefined) return [];
    return [{ name: `${at.getAddress()}:${at.getPort()}`, state: member.getState(), isAlive: member.getIsAlive() }];
  });
}
