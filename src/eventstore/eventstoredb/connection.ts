import { EventStoreDBClient } from '@eventstore/db-client';
import type { Logger } from '../../model/interfaces.ts';
import { type BatchAppendCall, type Client, type ReadCall, type ReadRequest, StreamsClient } from './messages.ts';
import { notAllowed, type StoreUrl } from './url.ts';

type Stub = InstanceType<typeof StreamsClient>;
type Call = BatchAppendCall | ReadCall;
type CallArguments = [Parameters<Stub['batchAppend']>[0], Parameters<Stub['batchAppend']>[1]];

/** What the client keeps for its own commands: they are `protected` there, and this adapter's calls are such commands. */
interface ClientInside {
  GRPCStreamCreator<C extends Call>(
    stub: typeof StreamsClient,
    name: string,
    create: (stub: Stub) => C,
  ): () => Promise<C>;
  callArguments(options: { readonly requiresLeader: boolean }, call: { readonly deadline: number }): CallArguments;
}

/**
 * One client: the channel with its TLS, credentials, keepalive, discovery of the cluster and the way to its leader. The calls
 * on it are made here and not by the client's `appendToStream` and `readStream`: those share one map of promises among all
 * clients of the process, so that the lost connection of one rejects the appends of another, and the answer that comes after
 * all ends the process (docs/adr/0010).
 */
export class Connection {
  readonly #client: Client;
  readonly #inside: ClientInside;
  readonly #requiresLeader: boolean;
  #stub: Stub | undefined;
  #closed = false;

  /** Connects with the first call. `requiresLeader`: a node that is not the leader sends the calls on to it. */
  constructor(url: StoreUrl, requiresLeader: boolean, logger: Logger) {
    this.#client = createClient(url, logger);
    this.#inside = this.#client as unknown as ClientInside;
    this.#requiresLeader = requiresLeader;
  }

  openBatchAppend(): Promise<BatchAppendCall> {
    return this.#open('batchAppend', (stub) => stub.batchAppend(...this.#arguments()));
  }

  openRead(request: ReadRequest): Promise<ReadCall> {
    return this.#open('read', (stub) => stub.read(request, ...this.#arguments()));
  }

  /** Cancels every call, and lets the socket go: the client's own `dispose` keeps it. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#client.dispose();
    this.#stub?.close();
  }

  #open<C extends Call>(name: string, create: (stub: Stub) => C): Promise<C> {
    const created = (stub: Stub) => {
      if (this.#closed) throw new Error('the store was closed while it was being connected');
      this.#stub = stub;
      return create(stub);
    };
    return this.#inside.GRPCStreamCreator(StreamsClient, name, created)();
  }

  /** No deadline: it would end a call that many appends share, and a subscription; each has a timer of its own instead. */
  #arguments(): CallArguments {
    return this.#inside.callArguments({ requiresLeader: this.#requiresLeader }, { deadline: Number.POSITIVE_INFINITY });
  }
}

/** The client warns on the console of a keepalive below 10 s; what it refuses is told without credentials. */
function createClient({ connection, shown }: StoreUrl, logger: Logger): Client {
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
