import { openEventStore } from '../../../src/eventstore/open.ts';
import { type AppendResult, type EventStore, NO_STREAM } from '../../../src/model/event-store.ts';
import type { NewEvent } from '../../../src/model/events.ts';
import type { Logger } from '../../../src/model/interfaces.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../../support/eventstoredb/start.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';

/** A server, a proxy before it, and stores that go through the proxy. */
export interface Rig {
  readonly server: EventStoreDbProcess;
  readonly proxy: FaultProxy;
  readonly warnings: readonly string[];
  /** `query`: further options of the URL. */
  open(query?: string): Promise<EventStore>;
  stop(): Promise<void>;
}

export async function startRig(): Promise<Rig> {
  const server = await startEventStoreDb({ fsync: false });
  const proxy = await startFaultProxy({ target: server });
  const stores: EventStore[] = [];
  const warnings: string[] = [];
  return {
    server,
    proxy,
    warnings,
    async open(query = '') {
      const url = `esdb://127.0.0.1:${proxy.port}?tls=false${query}`;
      const store = await openEventStore(url, { logger: remember(warnings) });
      stores.push(store);
      return store;
    },
    async stop() {
      await server.kill('SIGCONT');
      proxy.heal();
      await Promise.all(stores.map((store) => store.close()));
      await proxy.stop();
      await server.stop();
    },
  };
}

function remember(warnings: string[]): Logger {
  const take = (_: object, message: string) => void warnings.push(message);
  return { debug() {}, info() {}, warn: take, error: take };
}

/** Repeats the identical batch until the answer is no longer `unknown`. */
export async function settle(
  store: EventStore,
  stream: string,
  batch: readonly NewEvent[],
  expected = NO_STREAM,
): Promise<AppendResult> {
  for (;;) {
    const result = await store.append(stream, batch, expected);
    if (result.outcome !== 'unknown') return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
