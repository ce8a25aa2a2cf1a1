import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { ERRORS, type ErrorCode, type FieldError, invalid, isPoolError, PoolError } from '../../model/errors.ts';
import type { Refusal } from '../../model/refusals.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** An RFC 9457 problem: `type` ends in the code; what else belongs to the answer stands beside. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly [extension: string]: unknown;
}

const MAX_ERRORS = 100;
const MAX_VALUE_LENGTH = 200;

export const problemTypeOf = (code: ErrorCode): string => `urn:problem-type:resource-pool-manager:${code}`;

function problem(code: ErrorCode, detail: string, details: Readonly<Record<string, unknown>>): Problem {
  const { title, status } = ERRORS[code];
  const errors = details['errors'] as readonly FieldError[] | undefined;
  const shown = errors === undefined ? details : { ...details, errors: errors.slice(0, MAX_ERRORS).map(showError) };
  const head = { type: problemTypeOf(code), title, status, detail: cut(detail, 20_000), code };
  return { ...head, ...shown, ...head };
}

/** What a user sent is shown to them, but never more than a line of it: an error may not be larger than its cause. */
const showError = (error: FieldError): FieldError => ({
  path: cut(error.path, MAX_VALUE_LENGTH),
  value: showValue(error.value),
  allowed: error.allowed,
});

function showValue(value: unknown): unknown {
  if (typeof value === 'string') return cut(value, MAX_VALUE_LENGTH);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  const text = JSON.stringify(value);
  return text.length <= MAX_VALUE_LENGTH ? value : cut(text, MAX_VALUE_LENGTH);
}

const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length)}...`);

export const problemOf = (error: PoolError): Problem => problem(error.code, error.message, error.details);

export function refusalProblem(refusal: Refusal): Problem {
  const { code, message, ...details } = refusal;
  return problem(code, message, details);
}

/** Sends a problem with its status; 429 and 503 say in whole seconds when to come again (RFC 9110, 10.2.3). */
export function sendProblem(reply: FastifyReply, body: Problem): FastifyReply {
  const { status } = body;
  if (status === 429 || status === 503) reply.header('retry-after', retryAfterSeconds(body));
  return reply.code(status).type(PROBLEM_TYPE).send(JSON.stringify(body));
}

function retryAfterSeconds(body: Problem): number {
  const ms = body['retryAfterMs'];
  return typeof ms === 'number' && ms > 0 ? Math.ceil(ms / 1000) : 1;
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_REQUEST',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'REQUEST_TIMEOUT',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
  431: 'HEADERS_TOO_LARGE',
  503: 'OVERLOADED',
};

const FRAMEWORK: Readonly<Record<string, (error: Error) => PoolError>> = {
  FST_ERR_MAX_PARAM_LENGTH: () =>
    wrongPath('a part that is too long', 'at most 128 characters in each part of the path'),
  FST_ERR_BAD_URL: () => wrongPath('malformed', 'a path in well-formed percent-encoding'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new PoolError('UNSUPPORTED_MEDIA_TYPE', 'the body must be application/json'),
};

const wrongPath = (value: string, allowed: string): PoolError => invalid([{ path: 'path', value, allowed }]);

/** Any error as one of ours: the framework's by its status, anything else is a bug, and says nothing of the inside. */
export function poolErrorOf(error: unknown): PoolError {
  if (isPoolError(error)) return error;
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = code === undefined ? undefined : FRAMEWORK[code];
  if (known !== undefined) return known(error as Error);
  const ours = statusCode === undefined ? undefined : CODE_OF_STATUS[statusCode];
  if (ours !== undefined) return new PoolError(ours, message ?? ERRORS[ours].title, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new PoolError('INVALID_REQUEST', message ?? 'the request is not understood', { cause: error });
  const incidentId = randomUUID();
  return new PoolError('INTERNAL', `this is a bug; please report it with the id ${incidentId}`, {
    cause: error,
    details: { incidentId },
  });
}
