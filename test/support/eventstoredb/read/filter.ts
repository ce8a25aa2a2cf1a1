import { HandlerException } from '../grpc/status.ts';
import type { LogRecord } from '../log/record.ts';
import { dotNetRegex } from './dotnet-regex.ts';

/** Whether a reader of $all gets an event. */
export type Filter = (record: LogRecord) => boolean;

/** An empty regex means "by prefixes"; no prefix at all lets nothing through. */
export interface Expression {
  readonly subject: 'stream' | 'eventType';
  readonly regex: string;
  readonly prefixes: readonly string[];
}

/** Streams of the server itself that no reader of $all gets. */
const HIDDEN = /^(\$epoch-information|\$persistentsubscription-\$all::.*-(checkpoint|parked))$/s;

export const everyEvent: Filter = ({ stream }) => !stream.startsWith('$') || !HIDDEN.test(stream);

export function filterOf({ subject, regex, prefixes }: Expression): Filter {
  const textOf = ({ stream, type }: LogRecord) => (subject === 'stream' ? stream : type);
  if (regex === '')
    return (record) => everyEvent(record) && prefixes.some((prefix) => textOf(record).startsWith(prefix));
  const pattern = patternOf(regex);
  return (record) => everyEvent(record) && pattern.test(textOf(record));
}

function patternOf(source: string): RegExp {
  try {
    return dotNetRegex(source);
  } catch {
    throw new HandlerException(`Invalid pattern '${source}'.`);
  }
}
