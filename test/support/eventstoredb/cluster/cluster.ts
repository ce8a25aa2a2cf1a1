import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type FaultProxy, startFaultProxy } from '../../fault-proxy.ts';
import { createGrpcServer } from '../grpc/server.ts';
import { LogStore } from '../log/log-store.ts';
import { handlers } from '../server.ts';
import { type Journal, Writer } from '../write/writer.ts';
import type { Endpoint, Member, Standing } from './standing.ts';

/** Everything is durable at once: who kills this process kills all nodes. */
const AT_ONCE: Journal = { append: (_, onDurable) => onDurable(), afterAppended: (onDurable) => onDurable() };

/**
 * Nodes in this process that share one log, each behind a proxy of its own at the address that gossip tells. What replication would
 * bring is there at once; who leads is what a test says. A node that leads no longer but has not heard of it still writes
 * to the log: harsher than a real one, which has no majority for it.
 */
export class TestCluster {
  readonly nodes: readonly ClusterNode[];
  readonly #shared: Shared;

  private constructor(nodes: readonly ClusterNode[], shared: Shared) {
    this.nodes = nodes;
    this.#shared = shared;
  }

  static async start(count = 3): Promise<TestCluster> {
    const store = new LogStore();
    const shared: Shared = { store, writer: new Writer(store, AT_ONCE), nodes: [], leader: undefined };
    for (let n = 0; n < count; n++) shared.nodes.push(await ClusterNode.start(shared));
    shared.leader = shared.nodes[0];
    return new TestCluster(shared.nodes, shared);
  }

  get leader(): ClusterNode | undefined {
    return this.#shared.leader;
  }

  /** Those that do not lead. */
  get followers(): readonly ClusterNode[] {
    return this.nodes.filter((node) => node !== this.leader);
  }

  /** The node leads from now on; undefined: nobody does. All nodes that are not out of touch know it. */
  elect(node: ClusterNode | undefined): void {
    this.#shared.leader = node;
  }

  /** The seeds of the cluster as a URL, in the order of `nodes`, with further options. */
  url(query = '', nodes = this.nodes): string {
    return `esdb://${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}?tls=false${query}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

interface Shared {
  readonly store: LogStore;
  readonly writer: Writer;
  readonly nodes: ClusterNode[];
  leader: ClusterNode | undefined;
}

/** One node: what it answers, and what befalls it. */
export class ClusterNode implements Endpoint {
  readonly host = '127.0.0.1';
  readonly #shared: Shared;
  readonly #instanceId = randomUUID();
  #server: Http2Server | undefined;
  readonly #sessions = new Set<ServerHttp2Session>();
  #proxy!: FaultProxy;
  /** Dead, frozen or cut off: the others know. */
  #isAway = false;
  /** What it held to be true when it last heard of the others; undefined: it hears of all. */
  #stale: { readonly members: readonly Member[]; readonly leads: boolean } | undefined;
  /** Data calls that it was asked, since its start: what nobody asks any more stands still. */
  asked = 0;

  private constructor(shared: Shared) {
    this.#shared = shared;
  }

  static async start(shared: Shared): Promise<ClusterNode> {
    const node = new ClusterNode(shared);
    await node.#listen(0);
    return node;
  }

  get port(): number {
    return this.#proxy.port;
  }

  get isDown(): boolean {
    return this.#server === undefined;
  }

  /** Connections are refused, as of a process that is no more. */
  async kill(): Promise<void> {
    this.#isAway = true;
    await this.#close();
  }

  /** Starts it again, in touch with the others. `samePort` false: at another address. */
  async restart(samePort = true): Promise<void> {
    const { port } = this;
    if (this.#server !== undefined) await this.#close();
    await this.#listen(samePort ? port : 0);
    this.rejoin();
  }

  /** As SIGSTOP: connections are accepted, and nothing is said; what is sent is done after `rejoin`. */
  freeze(): void {
    this.loseTouch();
    this.#isAway = true;
    this.#proxy.freeze();
  }

  /** What is sent in either direction is lost. */
  cutOff(): void {
    this.loseTouch();
    this.#isAway = true;
    this.#proxy.halfOpen();
  }

  /** It goes on in the belief of this moment, for its clients as for itself. */
  loseTouch(): void {
    this.#stale ??= { members: this.#members(), leads: this.#leads() };
  }

  /** It knows that it follows nobody, and can be read from. */
  claimFollower(): void {
    this.#stale = { members: this.#members().map((m) => ({ ...m, state: 'FOLLOWER' })), leads: false };
  }

  /** It names, beside what is so, a member at an address that no client can use. */
  claimMember(host: string): void {
    const stranger = { host, port: 2113, instanceId: randomUUID(), state: 'FOLLOWER', isAlive: true } as const;
    this.#stale = { members: [stranger, ...this.#members()], leads: this.#leads() };
  }

  /** Is reached again, and knows what the others know. */
  rejoin(): void {
    this.#isAway = false;
    this.#stale = undefined;
    this.#proxy.heal();
  }

  /** Thaws or is reached again, but does not know yet what has happened meanwhile. */
  wakeUnaware(): void {
    this.#isAway = false;
    this.#proxy.heal();
  }

  async stop(): Promise<void> {
    this.#proxy.heal();
    await this.#close();
  }

  #leads(): boolean {
    return this.#stale?.leads ?? this.#shared.leader === this;
  }

  #members(): readonly Member[] {
    if (this.#stale !== undefined) return this.#stale.members;
    const { nodes, leader } = this.#shared;
    return nodes.map((node) => ({
      host: node.host,
      port: node.port,
      instanceId: node.#instanceId,
      state: node === leader ? 'LEADER' : leader === undefined ? 'UNKNOWN' : 'FOLLOWER',
      isAlive: !node.#isAway,
    }));
  }

  async #listen(port: number): Promise<void> {
    const standing: Standing = { members: () => this.#members(), leads: () => this.#leads() };
    const { store, writer } = this.#shared;
    const answers = handlers({ store, writer, standing, isReady: () => true });
    for (const [path, handler] of answers)
      if (path.includes('.streams.'))
        answers.set(path, (call) => {
          this.asked += 1;
          handler(call);
        });
    const server = createGrpcServer(answers);
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    server.listen(0, this.host);
    await once(server, 'listening');
    this.#server = server;
    this.#proxy = await proxyAt({ host: this.host, port: (server.address() as AddressInfo).port }, port);
  }

  async #close(): Promise<void> {
    if (this.#server === undefined) return;
    const server = this.#server;
    this.#server = undefined;
    await this.#proxy.stop();
    for (const session of this.#sessions) session.destroy();
    server.close();
  }
}

/** Ports that no outgoing connection is given by the system: a node that was killed finds its own free again. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** `port` 0: any that is free. */
async function proxyAt(target: Endpoint, port: number): Promise<FaultProxy> {
  for (;;) {
    try {
      return await startFaultProxy({ target, port: port === 0 ? FIRST_PORT + randomInt(PORTS) : port });
    } catch (error) {
      if (port !== 0 || (error as { code?: string }).code !== 'EADDRINUSE') throw error;
    }
  }
}
