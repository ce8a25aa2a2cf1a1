import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { alone, type Endpoint } from './cluster/standing.ts';
import type { Handler } from './grpc/server.ts';
import { createGrpcServer } from './grpc/server.ts';
import { decodeDrafts } from './log/codec.ts';
import { openLogFile } from './log/log-file.ts';
import { LogStore } from './log/log-store.ts';
import { append } from './services/append.ts';
import { batchAppend } from './services/batch-append.ts';
import { softDelete, tombstone } from './services/delete.ts';
import { getSupportedMethods, gossipRead } from './services/info.ts';
import { read } from './services/read.ts';
import type { ServerContext } from './services/server-context.ts';
import { Writer } from './write/writer.ts';

export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly dataDir: string;
  /** Whether an append is answered only once it would survive a loss of power. */
  readonly fsync: boolean;
  /** What gossip says; by default the address listened at. */
  readonly advertise?: Endpoint;
  /** For this long after the start everything is answered "Server Is Not Ready". */
  readonly notReadyMs: number;
}

export interface RunningServer {
  readonly endpoint: Endpoint;
  readonly eventCount: number;
  /** Bytes of a torn tail that were cut off the log. */
  readonly cutBytes: number;
  close(): Promise<void>;
}

/** Loads the log and listens. Rejects if the port is taken or the log cannot be opened. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { file, entries, cutBytes } = await openLogFile(options.dataDir, options.fsync);
  const store = loadStore(entries);
  const readyAtMs = performance.now() + options.notReadyMs;
  const endpoint = { host: options.host, port: options.port };
  const server = createGrpcServer(
    handlers({
      store,
      writer: new Writer(store, file),
      standing: alone(() => options.advertise ?? endpoint),
      isReady: () => performance.now() >= readyAtMs,
    }),
  );
  server.listen(options.port, options.host);
  await once(server, 'listening');
  endpoint.port = (server.address() as AddressInfo).port;
  return {
    endpoint,
    eventCount: store.size,
    cutBytes,
    close: async () => {
      server.close();
      await file.close();
    },
  };
}

function loadStore(entries: readonly Buffer[]): LogStore {
  const store = new LogStore();
  for (const entry of entries) for (const draft of decodeDrafts(entry)) store.stage(draft);
  store.commit(store.stagedSize);
  return store;
}

/** What a server answers, by the full path of each method. */
export function handlers(context: ServerContext): Map<string, Handler> {
  const streams = '/event_store.client.streams.Streams';
  return new Map([
    [`${streams}/Read`, read(context)],
    [`${streams}/Append`, append(context)],
    [`${streams}/BatchAppend`, batchAppend(context)],
    [`${streams}/Delete`, softDelete(context)],
    [`${streams}/Tombstone`, tombstone(context)],
    ['/event_store.client.gossip.Gossip/Read', gossipRead(context.standing)],
    ['/event_store.client.server_features.ServerFeatures/GetSupportedMethods', getSupportedMethods],
  ]);
}
