import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { EventFilter, Page, PoolReader, StreamItem } from '../model/reading.ts';
import type { LeaseView, PoolView, RequestView } from '../model/views.ts';
import type { Call, Http } from './http.ts';
import { follow, queryOf } from './stream.ts';

type PageOptions = { readonly cursor?: string; readonly limit?: number };

/** What can be read of a pool, over HTTP. */
export function httpReader(http: Http): PoolReader {
  const read = async <T>(path: string, query: Call['query'] = {}): Promise<T> =>
    (await http.call<T>({ path, query })).body;
  const page = <E>(path: string, filter: EventFilter, options: PageOptions): Promise<Page<E>> =>
    read(path, { ...queryOf(filter), ...options });
  return {
    getPool: (moment) => read<PoolView>('/v1/pool', { ...moment }),
    getLease: (leaseId) => read<LeaseView>(`/v1/leases/${encodeURIComponent(leaseId)}`),
    listLeases: (filter) => read<Page<LeaseView>>('/v1/leases', { ...filter }),
    getRequest: (requestId) => read<RequestView>(`/v1/requests/${encodeURIComponent(requestId)}`),
    listRequests: (filter) => read<Page<RequestView>>('/v1/requests', { ...filter }),
    getUtilization: () => read('/v1/utilization'),
    pageEvents: (filter, options) => page<RecordedPoolEvent>('/v1/events', filter, options),
    pageRefusals: (filter, options) => page<RecordedAuditEvent>('/v1/refusals', filter, options),
    followEvents: (filter, signal) =>
      follow(http, '/v1/events', filter, signal) as AsyncIterable<StreamItem<RecordedPoolEvent>>,
    followRefusals: (filter, signal) =>
      follow(http, '/v1/refusals', filter, signal) as AsyncIterable<StreamItem<RecordedAuditEvent>>,
  };
}
