import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallOptions } from '../manager/service.ts';
import { type FieldError, PoolError } from '../model/errors.ts';
import { MAX_SPAN_MS } from '../model/values/instant.ts';

/** Who a request counts as when it names nobody. There are no keys yet: the name is a claim, kept in the events. */
const DEFAULT_ACTOR = 'http';

/** The key of a command: a plain key, or one in quotes (draft-ietf-httpapi-idempotency-key-header). */
export function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'] as string | undefined;
  return key?.startsWith('"') ? key.slice(1, -1) : key;
}

export const actorOf = (request: FastifyRequest): string =>
  (request.headers['x-actor'] as string | undefined) ?? DEFAULT_ACTOR;

/** Who asks, under which key and If-Match; an answer to a repeat is marked as one. */
export function callOf(request: FastifyRequest, reply: FastifyReply): CallOptions {
  const idempotencyKey = keyOf(request);
  const ifRevision = ifMatchOf(request);
  return {
    actor: actorOf(request),
    onReplayed: () => markReplayed(reply),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(ifRevision !== undefined && { ifRevision }),
  };
}

export interface Preference {
  readonly respondAsync: boolean;
  /** From `wait=N`, N in seconds. */
  readonly waitMs: number | undefined;
}

const NONE: Preference = { respondAsync: false, waitMs: undefined };
const MAX_WAIT_SECONDS = MAX_SPAN_MS / 1000;

/** RFC 7240. Preferences that nobody knows are ignored, as it demands; `waitMs` is NaN if `wait` is no number of seconds. */
export function preferenceOf(request: FastifyRequest): Preference {
  const header = request.headers['prefer'] as string | undefined;
  if (header === undefined) return NONE;
  let waitMs: number | undefined;
  let respondAsync = false;
  for (const part of header.split(',')) {
    const [name, value] = part.split(';', 1)[0]!.trim().split('=', 2) as [string, string?];
    if (name.trim().toLowerCase() === 'respond-async') respondAsync = true;
    else if (name.trim().toLowerCase() === 'wait') waitMs = waitOf(value?.trim().replace(/^"(.*)"$/, '$1'));
  }
  return { respondAsync, waitMs };
}

function waitOf(text: string | undefined): number {
  const seconds = text !== undefined && /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  return seconds <= MAX_WAIT_SECONDS ? seconds * 1000 : Number.NaN;
}

/** What is wrong with the headers of an allocate that no schema says. */
export function headerErrors(request: FastifyRequest): FieldError[] {
  const errors: FieldError[] = [];
  const { prefer } = request.headers;
  if (Number.isNaN(preferenceOf(request).waitMs)) {
    const allowed = `wait=N, N whole seconds from 0 to ${MAX_WAIT_SECONDS}`;
    errors.push({ path: 'headers.prefer', value: prefer, allowed });
  }
  const key = keyOf(request);
  const inBody = (request.body as { idempotencyKey?: unknown } | null | undefined)?.idempotencyKey ?? undefined;
  if (key !== undefined && inBody !== undefined && inBody !== key) {
    const allowed = 'the same key as idempotencyKey in the body';
    errors.push({ path: 'headers.idempotency-key', value: key, allowed });
  }
  return errors;
}

export const etagOf = (revision: number): string => `"${revision}"`;

/** The revisions that `If-Match` allows; undefined = any, or no such header. Weak tags never match (RFC 9110, 13.1.1). */
export function ifMatchOf(request: FastifyRequest): readonly number[] | undefined {
  const header = request.headers['if-match'];
  return header === undefined || header === '*' ? undefined : strongTags(header);
}

const strongTags = (header: string): number[] =>
  header
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => !tag.startsWith('W/'))
    .map((tag) => Number(tag.slice(1, -1)));

export function requireMatch(allowed: readonly number[] | undefined, revision: number): void {
  if (allowed === undefined || allowed.includes(revision)) return;
  const detail = `the current revision is ${revision}; If-Match allows ${allowed.join(', ') || 'none'}`;
  throw new PoolError('REVISION_MISMATCH', detail, { details: { revision } });
}

/** Sends what stands at `revision` with its ETag, or 304 if the client has it. */
export function sendTagged(
  request: FastifyRequest,
  reply: FastifyReply,
  revision: number,
  body: unknown,
): FastifyReply {
  const tag = etagOf(revision);
  reply.header('etag', tag);
  const known = request.headers['if-none-match'];
  if (known !== undefined && (known === '*' || known.split(',').some((one) => one.trim().replace(/^W\//, '') === tag)))
    return reply.code(304).send();
  return reply.send(body);
}

export const markReplayed = (reply: FastifyReply): void => {
  reply.header('idempotent-replayed', 'true');
};
