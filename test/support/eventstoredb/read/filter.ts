import { HandlerException } from '../grpc/status.ts';
import type { LogRecord } from '../log/record.ts';

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
  const pattern = dotNetRegex(regex);
  return (record) => everyEvent(record) && pattern.test(textOf(record));
}

/** The JavaScript form of a .NET regular expression, for the constructs that differ and are in use. */
function dotNetRegex(source: string): RegExp {
  const options = /^\(\?([ims]+)\)/.exec(source);
  const body = source
    .slice(options?.[0].length ?? 0)
    .replace(/\\(.)|\$(?=$|\)|\|)/gs, (whole, escaped: string | undefined) => translated(whole, escaped, options?.[1]));
  const flags = `${options?.[1] ?? ''}${/\\p\{/i.test(body) ? 'u' : ''}`;
  try {
    return new RegExp(body, flags);
  } catch {
    throw new HandlerException(`Invalid pattern '${source}'.`);
  }
}

const END_OR_LAST_NEWLINE = '(?=\\n?$(?![\\s\\S]))';

/** `\A`, `\z` and `\Z` are anchors there, and `$` also matches before a last newline. */
function translated(whole: string, escaped: string | undefined, options = ''): string {
  if (escaped === 'A') return '(?<![\\s\\S])';
  if (escaped === 'z') return '(?![\\s\\S])';
  if (escaped === 'Z') return END_OR_LAST_NEWLINE;
  return escaped === undefined && !options.includes('m') ? END_OR_LAST_NEWLINE : whole;
}
