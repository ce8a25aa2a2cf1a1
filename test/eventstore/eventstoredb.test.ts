import { openEventStore } from '../../src/eventstore/open.ts';
import { startEventStoreDb } from '../support/eventstoredb/start.ts';
import { eventStoreContract, FULL } from './contract.ts';

const url = process.env['EVENTSTORE_URL'];
const SIZES = { ...FULL, propertyRuns: 20, liveEvents: 2_000 };

/** Over the test server, or unchanged on any real server: `EVENTSTORE_URL=esdb://... npm run test:eventstore`. */
eventStoreContract(
  'esdb:',
  async () => {
    const server = url === undefined ? await startEventStoreDb({ fsync: false }) : undefined;
    return { open: () => openEventStore(url ?? server!.url), dispose: async () => server?.stop() };
  },
  SIZES,
);
