import { convertToCommandError, ErrorType } from '@eventstore/db-client';
import type { Logger } from '../../../model/interfaces.ts';
import type { BatchAppendCall, ReadCall, ReadRequest } from '../messages.ts';
import { Discovery } from './discovery.ts';
import { type Call, checkUrl, Node } from './node.ts';
import type { StoreUrl } from './url.ts';

/** Errors of a call by which the node itself is left: it is away, has ended what it had begun, or is not the leader. */
const LEAVING: ReadonlySet<string> = new Set([ErrorType.UNAVAILABLE, ErrorType.CANCELLED, ErrorType.NOT_LEADER]);

/**
 * The way to the server: the node that is used now, found with the first call, and found anew once it was left. It is left, with
 * all that is under way on it, as soon as one call of it was not answered in time or ended in a way that says that another node
 * should be asked: a connection that is merely kept would go on leading to a node that is frozen (docs/adr/0019). The calls
 * are made here and not by the client's `appendToStream` and `readStream` (docs/adr/0010).
 */
export class Connection {
  readonly #url: StoreUrl;
  readonly #requiresLeader: boolean;
  readonly #logger: Logger;
  readonly #discovery: Discovery | undefined;
  readonly #nodeOf = new WeakMap<Call, Node>();
  /** Whether a node is alive, while it is being asked: many calls wait for one answer. */
  readonly #asked = new Map<string, Promise<boolean>>();
  readonly #closing = new AbortController();
  #current: { readonly found: Promise<Node>; node?: Node } | undefined;
  /** Where one node is named: the leader that it has named, once. */
  #leader: string | undefined;

  /** Throws INVALID_CONFIG for a URL that the client refuses. `requiresLeader`: only the leader will do. */
  constructor(url: StoreUrl, requiresLeader: boolean, logger: Logger) {
    checkUrl(url, logger);
    this.#url = url;
    this.#requiresLeader = requiresLeader;
    this.#logger = logger;
    const { discovery: limits, hosts: seeds, shown } = url;
    const connect = (name: string) => this.#nodeAt(name);
    this.#discovery = limits && new Discovery({ seeds, shown, limits, requiresLeader, connect });
  }

  openBatchAppend(): Promise<BatchAppendCall> {
    return this.#open((node) =>
      node.open('batchAppend', (stub) => stub.batchAppend(...node.arguments(this.#requiresLeader))),
    );
  }

  openRead(request: ReadRequest): Promise<ReadCall> {
    return this.#open((node) =>
      node.open('read', (stub) => stub.read(request, ...node.arguments(this.#requiresLeader))),
    );
  }

  /** The call was not answered in time, whatever else its node may still do. */
  silent(call: Call): void {
    this.#leave(this.#nodeOf.get(call), true);
  }

  /** The node has answered that it cannot say, or cannot now: of a cluster another may be the leader by now. */
  undecided(call: Call): void {
    if (this.#discovery !== undefined) this.#leave(this.#nodeOf.get(call), true);
  }

  /**
   * Resolves to whether the node of a call still says anything at all. Asked over a connection of its own: on the one that is there
   * an answer may wait behind what a slow reader of this process has not taken yet; that it is whole is the keepalive's to find out.
   */
  isAlive(call: Call): Promise<boolean> {
    const name = this.#nodeOf.get(call)?.name;
    if (name === undefined) return Promise.resolve(false);
    const asked = this.#asked.get(name) ?? this.#ask(name).finally(() => this.#asked.delete(name));
    this.#asked.set(name, asked);
    return asked;
  }

  async #ask(name: string): Promise<boolean> {
    let probe: Node | undefined;
    try {
      probe = this.#nodeAt(name);
      await probe.gossip(this.#url.discovery?.gossipTimeoutMs ?? this.#url.timeoutMs);
      return true;
    } catch (error) {
      return isAnswer(error);
    } finally {
      void probe?.close();
    }
  }

  /** Cancels every call, and lets the socket go. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the store was closed'));
    await this.#current?.found.then(
      (node) => node.close(),
      () => undefined,
    );
  }

  async #open<C extends Call>(open: (node: Node) => Promise<C>): Promise<C> {
    this.#closing.signal.throwIfAborted();
    const node = await this.#node();
    this.#closing.signal.throwIfAborted();
    const call = await open(node);
    this.#nodeOf.set(call, node);
    call.on('error', (error: Error) => this.#failed(node, error));
    return call;
  }

  #node(): Promise<Node> {
    if (this.#current !== undefined) return this.#current.found;
    const current: { found: Promise<Node>; node?: Node } = { found: this.#find() };
    this.#current = current;
    current.found.then(
      (node) => {
        current.node = node;
      },
      () => {
        if (this.#current === current) this.#current = undefined;
      },
    );
    return current.found;
  }

  async #find(): Promise<Node> {
    if (this.#discovery !== undefined) return this.#discovery.find(this.#closing.signal);
    const name = this.#leader;
    this.#leader = undefined;
    if (name !== undefined) return this.#nodeAt(name);
    return new Node(this.#url.hosts[0]!, this.#url.connection, this.#url.shown, this.#logger);
  }

  #nodeAt(name: string): Node {
    return new Node(name, this.#url.connectionTo(name), this.#url.shown, this.#logger);
  }

  #failed(node: Node, error: Error): void {
    const failure = convertToCommandError(error) as { type?: string; leader?: { address: string; port: number } };
    if (!LEAVING.has(failure.type ?? '')) return;
    if (failure.leader !== undefined) {
      const leader = `${failure.leader.address}:${failure.leader.port}`;
      this.#leader = leader;
      this.#discovery?.learn([leader]);
    }
    this.#leave(node, failure.leader === undefined);
  }

  #leave(node: Node | undefined, suspect: boolean): void {
    if (node === undefined || this.#current?.node !== node) return;
    this.#current = undefined;
    if (suspect) this.#discovery?.suspect(node.name);
    void node.close();
  }
}

/** A status that the server itself has sent: it has answered, if only that it has no such method. */
const isAnswer = (error: unknown): boolean =>
  [3, 5, 7, 9, 12, 13, 16].includes((error as { code?: number }).code ?? -1);
