import { EventStoreDBClient } from '@eventstore/db-client';
import type { Logger } from '../../../model/interfaces.ts';
import {
  type BatchAppendCall,
  type Client,
  type ClusterInfo,
  Empty,
  GossipClient,
  type ReadCall,
  StreamsClient,
} from '../messages.ts';
import { afterSilence } from './silence.ts';
import { notAllowed, type StoreUrl } from './url.ts';

type Stub = InstanceType<typeof StreamsClient>;
type GossipStub = InstanceType<typeof GossipClient>;
export type Call = BatchAppendCall | ReadCall;
type GossipArguments = Parameters<GossipStub['read']>;
export type CallArguments = [GossipArguments[1], Exclude<GossipArguments[2], (...answer: never[]) => void>];

/** What the client keeps for its own commands: they are `protected` there, and this adapter's calls are such commands. */
interface ClientInside {
  GRPCStreamCreator<C extends Call>(
    stub: typeof StreamsClient,
    name: string,
    create: (stub: Stub) => C,
  ): () => Promise<C>;
  execute<T>(stub: typeof GossipClient, name: string, action: (stub: GossipStub) => Promise<T>): Promise<T>;
  callArguments(
    options: { readonly requiresLeader: boolean; readonly credentials?: null },
    call: { readonly deadline: number },
  ): CallArguments;
}

/** It would end a call that many appends share, and a subscription; each has a timer of its own instead. */
const NO_DEADLINE = { deadline: Number.POSITIVE_INFINITY };

/**
 * Channels of one process share their connections, and the growing pauses between tries to connect, where target and options are
 * the same. A keepalive that differs by some ms gives each node a connection of its own: one that is dead is not met again, and
 * a server that was away for a minute is not left alone for the half of the next.
 */
const DISTINCT = 100;
let made = 0;

const distinct = (connection: string): string =>
  connection.replace(/(?<=[?&]keepAliveTimeout=)[1-9]\d*/i, (ms) => {
    made = (made + 1) % DISTINCT;
    return String(Number(ms) + made);
  });

/** One node of the server, and one client with one channel to it. Connects with the first call. */
export class Node {
  /** HOST:PORT, or the URL's own where one node is named. */
  readonly name: string;
  readonly #client: Client;
  readonly #inside: ClientInside;
  readonly #stubs = new Set<{ close(): void }>();
  readonly #questions = new Set<{ cancel(): void }>();
  #closed = false;

  constructor(name: string, connection: string, shown: string, logger: Logger) {
    this.name = name;
    this.#client = createClient(distinct(connection), shown, logger);
    this.#inside = this.#client as unknown as ClientInside;
  }

  /** `create` makes the call. Rejects once the node was left. */
  open<C extends Call>(name: string, create: (stub: Stub) => C): Promise<C> {
    const created = (stub: Stub) => {
      this.#keep(stub);
      return create(stub);
    };
    return this.#inside.GRPCStreamCreator(StreamsClient, name, created)();
  }

  /** What the node knows of the cluster. Rejects if it has not said so within `timeoutMs`. */
  gossip(timeoutMs: number): Promise<ClusterInfo> {
    return this.#inside.execute(GossipClient, 'gossip', (stub) => {
      this.#keep(stub);
      return new Promise<ClusterInfo>((resolve, reject) => {
        // Without credentials, as the client asks: a wrong password is told by the call that needs it.
        const [metadata, options] = this.#inside.callArguments(
          { requiresLeader: false, credentials: null },
          NO_DEADLINE,
        );
        const call = stub.read(new Empty(), metadata, options, (error, info) => {
          answered();
          this.#questions.delete(call);
          if (error === null && info !== undefined) resolve(info);
          else reject(error);
        });
        this.#questions.add(call);
        const answered = afterSilence(timeoutMs, () => {
          call.cancel();
          reject(new Error(`no answer within ${timeoutMs} ms`));
        });
      });
    });
  }

  arguments(requiresLeader: boolean): CallArguments {
    return this.#inside.callArguments({ requiresLeader }, NO_DEADLINE);
  }

  /** Cancels every call, and lets the socket go: the client's own `dispose` keeps it. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const question of this.#questions) question.cancel();
    await this.#client.dispose();
    for (const stub of this.#stubs) stub.close();
  }

  #keep(stub: { close(): void }): void {
    if (this.#closed) throw new Error(`${this.name} was left while it was being connected`);
    this.#stubs.add(stub);
  }
}

/** The client warns on the console of a keepalive below 10 s; what it refuses is told without credentials. */
function createClient(connection: string, shown: string, logger: Logger): Client {
  const { warn } = console;
  console.warn = (text) => logger.debug({ store: shown }, String(text));
  try {
    return EventStoreDBClient.connectionString(connection);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/[^\s"]*@/g, '***@') : 'the client refuses it';
    throw notAllowed(shown, why);
  } finally {
    console.warn = warn;
  }
}

/** Throws INVALID_CONFIG for a URL that the client refuses. */
export const checkUrl = ({ connection, shown }: StoreUrl, logger: Logger): void =>
  void createClient(connection, shown, logger);
