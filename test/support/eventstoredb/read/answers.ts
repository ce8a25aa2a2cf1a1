import type { EventLog } from '../log/event-log.ts';
import type { Position } from '../log/positions.ts';
import type { LogRecord } from '../log/record.ts';
import { readableRecord } from './retention.ts';

/** An event as a reader gets it: with `link`, the event it points to, or nothing if that cannot be read. */
export interface ResolvedEvent {
  readonly event?: LogRecord;
  readonly link?: LogRecord;
}

export type ReadAnswer =
  | { readonly kind: 'event'; readonly resolved: ResolvedEvent }
  | { readonly kind: 'confirmation'; readonly subscriptionId: string }
  | { readonly kind: 'checkpoint'; readonly position: Position }
  | { readonly kind: 'caughtUp' }
  | { readonly kind: 'streamNotFound'; readonly stream: string }
  | { readonly kind: 'firstStreamPosition'; readonly revision: number }
  | { readonly kind: 'lastStreamPosition'; readonly revision: number };

/** The pages of EventStoreDB's own reads, in events: they decide when first_stream_position is sent. */
export const PAGE_COUNT = 32;

/** `isLive`: as it is committed. What looks like a link but is none then counts as one that leads nowhere. */
export function eventAnswer(log: EventLog, record: LogRecord, resolveLinks: boolean, isLive = false): ReadAnswer {
  if (!resolveLinks || record.type !== '$>') return { kind: 'event', resolved: { event: record } };
  const resolved = resolveLink(log, record);
  return { kind: 'event', resolved: isLive && resolved.link === undefined ? { link: record } : resolved };
}

/** What .NET takes for a whole number: white space around it, and a sign. */
const INTEGER = /^[\t-\r ]*([+-]?\d+)[\t-\r ]*\0*$/;

/** A link's data is `REVISION@STREAM`. What does not begin with a 64-bit number is no link. */
function resolveLink(log: EventLog, link: LogRecord): ResolvedEvent {
  const [revision = '', ...rest] = Buffer.from(link.data).toString().split('@');
  const digits = INTEGER.exec(revision)?.[1];
  if (digits === undefined || BigInt.asIntN(64, BigInt(digits)) !== BigInt(digits)) return { event: link };
  const event = rest.length === 0 ? undefined : readTarget(log, Number(digits), rest.join('@'));
  return event === undefined ? { link } : { event, link };
}

function readTarget(log: EventLog, revision: number, name: string): LogRecord | undefined {
  const stream = log.stream(name);
  return readableRecord(stream, revision === -1 ? stream.last : revision, Date.now());
}
