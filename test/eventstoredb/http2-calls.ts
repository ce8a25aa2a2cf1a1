import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientHttp2Stream } from 'node:http2';

interface Seen {
  readonly stream: ClientHttp2Stream;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The HTTP/2 calls that this process makes from now on, as Node itself reports them. */
export function watchCalls() {
  const calls: { readonly stream: ClientHttp2Stream; readonly method: string; readonly authorization?: string }[] = [];
  const created = (message: unknown) => {
    const { stream, headers = {} } = message as Seen;
    const authorization = headers['authorization'];
    calls.push({
      stream,
      method: headers[':path']?.split('/').at(-1) ?? '',
      ...(authorization === undefined ? {} : { authorization }),
    });
  };
  subscribe('http2.client.stream.created', created);
  return {
    calls,
    count: (method: string) => calls.filter((call) => call.method === method).length,
    open: (method: string) => calls.filter((call) => call.method === method && !call.stream.closed).length,
    stop: () => unsubscribe('http2.client.stream.created', created),
  };
}
