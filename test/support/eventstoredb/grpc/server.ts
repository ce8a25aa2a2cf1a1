import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { Call } from './call.ts';
import { StatusCode, StatusError } from './status.ts';

export type Handler = (call: Call) => void;

const WINDOW_BYTES = 4 * 1024 * 1024;
const SESSION_MEMORY_MIB = 1024;

/** A gRPC server over cleartext HTTP/2; `handlers` by their full path, such as `/package.Service/Method`. */
export function createGrpcServer(handlers: ReadonlyMap<string, Handler>): Http2Server {
  const server = createServer({
    maxSessionMemory: SESSION_MEMORY_MIB,
    settings: { initialWindowSize: WINDOW_BYTES },
  });
  server.on('session', (session: ServerHttp2Session) => {
    session.setLocalWindowSize(WINDOW_BYTES);
    session.on('error', () => session.destroy());
  });
  server.on('stream', (stream, headers) => {
    const call = new Call(stream, headers);
    const path = headers[':path'] ?? '';
    const handler = handlers.get(path);
    if (handler === undefined) call.end(unimplemented(handlers, path));
    else call.run(() => handler(call));
  });
  return server;
}

function unimplemented(handlers: ReadonlyMap<string, Handler>, path: string): StatusError {
  const service = path.slice(0, path.lastIndexOf('/') + 1);
  const isKnown = [...handlers.keys()].some((known) => known.startsWith(service));
  return new StatusError(StatusCode.unimplemented, `${isKnown ? 'Method' : 'Service'} is unimplemented.`);
}
