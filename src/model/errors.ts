/** One wrong field: where it is, what it holds, and what would be allowed there. */
export interface FieldError {
  readonly path: string;
  readonly value: unknown;
  readonly allowed: string;
}

interface ErrorRow {
  /** The HTTP status that the code is answered with. */
  readonly status: number;
  readonly title: string;
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
}

/** Every code that a user can meet, in one table, with the HTTP status beside it. Codes are stable. */
export const ERRORS = {
  INVALID_REQUEST: { status: 400, title: 'The request has wrong fields', retryable: false },
  INVALID_CONFIG: { status: 400, title: 'The configuration has wrong fields', retryable: false },
  UNAUTHENTICATED: { status: 401, title: 'Credentials are missing or wrong', retryable: false },
  FORBIDDEN: { status: 403, title: 'The credentials do not allow this', retryable: false },
  NOT_FOUND: { status: 404, title: 'There is no such thing', retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not allowed here', retryable: false },
  REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time', retryable: true },
  ID_IN_USE: { status: 409, title: 'The id is in use by a live lease or a waiting request', retryable: false },
  FENCED: { status: 409, title: 'The lease has ended, or the token is not its token', retryable: false },
  REVISION_MISMATCH: { status: 412, title: 'The revision is not the current one', retryable: false },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The body is too large', retryable: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The media type is not supported', retryable: false },
  NEVER_FITS: { status: 422, title: 'The request is larger than this pool can ever grant', retryable: false },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The idempotency key was used with another body', retryable: false },
  PRECONDITION_REQUIRED: { status: 428, title: 'An If-Match header is required', retryable: false },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large', retryable: false },
  EXHAUSTED: { status: 429, title: 'The pool has no room for the request now', retryable: true },
  QUOTA_EXCEEDED: { status: 429, title: 'The owner has used up its quota', retryable: true },
  QUEUE_FULL: { status: 429, title: 'The queue of the tier is full', retryable: true },
  WAIT_EXPIRED: { status: 429, title: 'The wait ended before there was room', retryable: true },
  RATE_LIMITED: { status: 429, title: 'Too many requests', retryable: true },
  CANCELLED: { status: 409, title: 'The request was cancelled', retryable: false },
  BREAKER_OPEN: { status: 503, title: 'The circuit breaker is open', retryable: true },
  TIER_CLOSED: { status: 503, title: 'The tier admits nothing now', retryable: true },
  DRAINING: { status: 503, title: 'The pool is draining', retryable: true },
  OVERLOADED: { status: 503, title: 'The manager is overloaded', retryable: true },
  LOG_UNAVAILABLE: { status: 503, title: 'The event store does not accept events', retryable: true },
  OUTCOME_UNKNOWN: { status: 503, title: 'The outcome is unknown: it may have been done', retryable: true },
  INTERNAL: { status: 500, title: 'A bug', retryable: false },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether what was asked for happened: not, perhaps, or it did. */
export type Outcome = 'none' | 'unknown' | 'done';

export interface PoolErrorOptions {
  readonly cause?: unknown;
  readonly outcome?: Outcome;
  /** Everything else that belongs to the answer: shortfall, retryAfterMs, errors, tier, position, reason, revision, decisionId ... */
  readonly details?: Readonly<Record<string, unknown>>;
}

const BRAND = 'resource-pool-manager.PoolError';

/** The one error class: a stable `code`, whether to retry, and whether anything was done. */
export class PoolError extends Error {
  readonly brand = BRAND;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly outcome: Outcome;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: PoolErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PoolError';
    this.code = code;
    this.retryable = ERRORS[code].retryable;
    this.outcome = options.outcome ?? (code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'none');
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Tells a PoolError also when the package is installed twice. */
export const isPoolError = (error: unknown): error is PoolError =>
  typeof error === 'object' && error !== null && (error as { brand?: unknown }).brand === BRAND;

/** INVALID_REQUEST (or INVALID_CONFIG) listing every wrong field at once. */
export function invalid(
  errors: readonly FieldError[],
  code: 'INVALID_REQUEST' | 'INVALID_CONFIG' = 'INVALID_REQUEST',
): PoolError {
  const lines = errors.map((e) => `${e.path}: ${show(e.value)} is not allowed; allowed: ${e.allowed}`);
  return new PoolError(code, lines.join('\n'), { details: { errors } });
}

function show(value: unknown): string {
  if (value === undefined) return 'a missing value';
  const text =
    typeof value === 'number' || typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}
