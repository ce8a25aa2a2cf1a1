import type { Socket } from 'node:net';
import { ERRORS, PoolError } from '../../model/errors.ts';
import { PROBLEM_TYPE, problemOf } from './problems.ts';

type ParserError = Error & { readonly code?: string };

/**
 * What the HTTP parser could not read never becomes a request: it is answered on the socket, as a problem too, and the socket closes.
 * To be called when no request before it is in work.
 */
export function answerRawError(error: ParserError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed || answering(socket)) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(meaningOf(error)));
  const { status } = JSON.parse(body) as { status: number };
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Bad Request'}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** An answer that has begun cannot be followed by another. Node keeps the response in work on the socket. */
const answering = (socket: Socket): boolean =>
  (socket as Socket & { _httpMessage?: { headersSent: boolean } | null })._httpMessage?.headersSent === true;

function meaningOf(error: ParserError): PoolError {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new PoolError('HEADERS_TOO_LARGE', 'the request line and headers are larger than 16 KiB');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return new PoolError('REQUEST_TIMEOUT', ERRORS.REQUEST_TIMEOUT.title);
  const allowed = 'a well-formed HTTP/1.1 request';
  const errors = [{ path: 'request', value: error.code, allowed }];
  return new PoolError('INVALID_REQUEST', `${error.message}; allowed: ${allowed}`, { details: { errors } });
}
