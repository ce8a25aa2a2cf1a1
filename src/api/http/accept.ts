export type LogFormat = 'json' | 'ndjson' | 'sse';

const FORMATS: Readonly<Record<string, LogFormat>> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'text/event-stream': 'sse',
};

/** The form that `Accept` likes best (RFC 9110, 12.5.1), the first among equals; JSON if it names none of ours. */
export function formatOf(accept: string | undefined): LogFormat {
  let best: LogFormat = 'json';
  let bestQuality = 0;
  for (const range of (accept ?? '*/*').split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const format = FORMATS[type ?? ''];
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
    if (format !== undefined && quality > bestQuality) {
      best = format;
      bestQuality = quality;
    }
  }
  return best;
}
