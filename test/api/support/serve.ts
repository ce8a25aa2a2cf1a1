import { connect } from 'node:net';
import { expect } from 'vitest';
import { type RunningServer, type ServerOptions, startServer } from '../../../src/api/server.ts';
import type { PoolService } from '../../../src/manager/service.ts';
import { ERRORS, type ErrorCode } from '../../../src/model/errors.ts';
import { afterThisTest } from '../../support/clean-up.ts';

/** A server on a free port, closed after the test. */
export async function serve(service: PoolService, options: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer(service, { port: 0, ...options, limits: { closeMs: 1_000, ...options.limits } });
  afterThisTest(() => server.close());
  return server;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a body is what the test says it is
  readonly body: any;
}

export interface Ask {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly text?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** One request; any answer that is an error must be a whole problem (RFC 9457) of a known code. */
export async function ask(
  url: string,
  method: string,
  path: string,
  { body, text, headers, signal }: Ask = {},
): Promise<Reply> {
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(url + path, {
    method,
    headers: { ...(sent === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(sent === undefined ? {} : { body: sent }),
    ...(signal === undefined ? {} : { signal }),
  });
  const answer = await response.text();
  const json = response.headers.get('content-type')?.includes('json') === true && !answer.includes('}\n{');
  const reply = {
    status: response.status,
    headers: response.headers,
    body: json && answer !== '' ? JSON.parse(answer) : answer,
  };
  if (reply.status >= 400 && method !== 'HEAD') expectProblem(reply);
  return reply;
}

export function expectProblem({ status, headers, body }: Reply, code?: ErrorCode): void {
  expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(body.status).toBe(status);
  expect(ERRORS[body.code as ErrorCode]?.status).toBe(status);
  expect(body.type).toBe(`urn:problem-type:resource-pool-manager:${body.code}`);
  expect(body.title).toBe(ERRORS[body.code as ErrorCode].title);
  expect(typeof body.detail).toBe('string');
  if (status === 429 || status === 503) expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  if (code !== undefined) expect(body.code).toBe(code);
}

/** Bytes written to a socket of its own, and everything that came back until the other side closed (or `ms` passed). */
export function raw(url: string, bytes: string | readonly string[], ms = 3_000): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    for (const part of [bytes].flat()) socket.write(part);
  });
}

/** Status, headers and body of an answer that was read from a socket. */
export function parseRaw(text: string): Reply {
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  const [status = '', ...lines] = head.split('\r\n');
  const headers = new Headers(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
  return { status: Number(status.split(' ')[1]), headers, body: body === '' ? '' : JSON.parse(body) };
}
