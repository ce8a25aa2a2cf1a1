import { isPoolError, PoolError } from '../model/errors.ts';
import type { RecordedEvent } from '../model/events.ts';
import type { BoundKey } from '../model/idempotency.ts';
import type { EventFilter, StreamItem } from '../model/reading.ts';
import { errorOf, type Http, pause } from './http.ts';

/** The server sends a comment each 15 s; a stream that is silent for longer than this is taken for dead. */
const SILENCE_MS = 45_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

interface Frame {
  readonly event: string;
  readonly data: string;
}

/**
 * A log from `from`, then live, over any number of connections without gap or duplicate: each goes on after the last
 * event that was received. Ends at `to`, or when `signal` aborts.
 */
export async function* follow(
  http: Http,
  path: string,
  filter: EventFilter,
  signal?: AbortSignal,
): AsyncGenerator<StreamItem<RecordedEvent>> {
  let next = filter.from ?? 0;
  let pauseMs = FIRST_PAUSE_MS;
  const isOver = () => signal?.aborted === true;
  while (!isOver()) {
    try {
      for await (const frame of connect(http, path, filter, next, signal)) {
        pauseMs = FIRST_PAUSE_MS;
        if (frame.event === 'end') return;
        const item = itemOf(frame);
        if ('event' in item) next = item.event.revision + 1;
        yield item;
      }
    } catch (error) {
      if (isOver()) return;
      if (!isPoolError(error) || !error.retryable) throw error;
    }
    await pause(pauseMs * (0.5 + Math.random()), signal).catch(() => {});
    pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
  }
}

export const queryOf = (filter: EventFilter): Record<string, string | number | undefined> => ({
  from: filter.from,
  to: filter.to,
  type: filter.types?.join(','),
  lease: filter.leaseId,
  owner: filter.owner,
});

/** The frames of one connection. */
async function* connect(
  http: Http,
  path: string,
  filter: EventFilter,
  from: number,
  signal?: AbortSignal,
): AsyncGenerator<Frame> {
  const silence = new AbortController();
  const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  const silent = new PoolError('OUTCOME_UNKNOWN', `${path}: the stream is silent`);
  let timer = setTimeout(() => silence.abort(silent), SILENCE_MS);
  try {
    const query = queryOf({ ...filter, from });
    const response = await http.open({ path, query, headers: { accept: 'text/event-stream' }, signal: either });
    if (response.status === 204 || response.body === null) return yield { event: 'end', data: '{}' };
    for await (const block of blocksOf(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(silent), SILENCE_MS);
      const frame = frameOf(block);
      if (frame !== undefined) yield frame;
    }
  } catch (cause) {
    if (isPoolError(cause)) throw cause;
    throw new PoolError('OUTCOME_UNKNOWN', `${path}: the stream broke`, { cause });
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** The blocks between blank lines. */
async function* blocksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = parts.pop()!;
    yield* parts;
  }
}

/** A block's fields (WHATWG, server-sent events); undefined if there is no data in it, as in a comment. */
function frameOf(block: string): Frame | undefined {
  let event = 'message';
  let data: string | undefined;
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    else if (line.startsWith('data: ')) data = data === undefined ? line.slice(6) : `${data}\n${line.slice(6)}`;
  }
  return data === undefined ? undefined : { event, data };
}

function itemOf({ event, data }: Frame): StreamItem<RecordedEvent> {
  if (event === 'caughtUp') return { caughtUp: true };
  if (event === 'error') throw errorOf({ status: 200 }, data);
  return { event: fromCloudEvent(JSON.parse(data) as Record<string, unknown>) };
}

/** The event that a CloudEvents 1.0 envelope of this service carries. */
export function fromCloudEvent(cloud: Readonly<Record<string, unknown>>): RecordedEvent {
  return {
    id: String(cloud['id']),
    type: String(cloud['type']).replace('resource-pool-manager.', ''),
    schemaVersion: Number(cloud['schemaversion']),
    at: Date.parse(String(cloud['time'])),
    data: cloud['data'],
    metadata: {
      correlationId: String(cloud['correlationid']),
      causationId: String(cloud['causationid']),
      actor: String(cloud['actor']),
      ...(typeof cloud['commandkey'] === 'string' && { key: JSON.parse(cloud['commandkey']) as BoundKey }),
    },
    stream: String(cloud['source']).replace('/streams/', ''),
    revision: Number(cloud['sequence']),
  };
}
