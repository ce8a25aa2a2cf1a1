/**
 * Prints what a pool decides, as it happens: EventStoreDB's own client, and nothing of this package.
 * Usage: node examples/subscribe-eventstoredb.ts [URL] [POOL]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStoreDBClient, type JSONEventType, START } from '@eventstore/db-client';

type PoolEvent = JSONEventType<string, Record<string, unknown>>;

const [url = 'esdb://127.0.0.1:2113?tls=false', poolId = 'default'] = process.argv.slice(2);
const client = EventStoreDBClient.connectionString(url);
let last: bigint | undefined;

function print({ revision, type, data }: { revision: bigint; type: string; data: PoolEvent['data'] }): void {
  const request = data['request'] as { id?: string } | undefined;
  console.log(`${revision} ${type} ${request?.id ?? data['leaseId'] ?? ''}`.trimEnd());
}

for (;;) {
  const subscription = client.subscribeToStream<PoolEvent>(`pool-${poolId}`, { fromRevision: last ?? START });
  try {
    for await (const { event } of subscription) {
      if (event === undefined) continue;
      print(event);
      last = event.revision;
    }
  } catch (error) {
    console.error(`the subscription was lost: ${error instanceof Error ? error.message : error}`);
  }
  await sleep(500);
}
