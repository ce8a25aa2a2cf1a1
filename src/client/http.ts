import { ERRORS, type ErrorCode, isPoolError, PoolError } from '../model/errors.ts';

export interface HttpOptions {
  /** Where the service answers, such as http://127.0.0.1:7070. */
  readonly url: string;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** Who the events are to name; default `http`. */
  readonly actor?: string;
  /** How often a call is repeated whose outcome is unknown; default 5. The pauses double from 100 ms, with jitter. */
  readonly retries?: number;
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

const FIRST_PAUSE_MS = 100;

/** Calls over HTTP: problems become PoolErrors, and what has no answer is asked again. */
export class Http {
  readonly #base: URL;
  readonly #fetch: typeof fetch;
  readonly #actor: string | undefined;
  readonly #retries: number;

  constructor(options: HttpOptions) {
    this.#base = new URL(options.url);
    this.#fetch = options.fetch ?? fetch;
    this.#actor = options.actor;
    this.#retries = options.retries ?? 5;
  }

  /**
   * Answers, or throws a PoolError. Every call of this client is safe to repeat (it reads, or has a token, a revision or
   * a key), so one whose outcome is unknown is repeated; what the service refused is not. Once in doubt, that a repeat was not
   * even decided ends no doubt: it says nothing of the try before it.
   */
  async call<T>(call: Call): Promise<Answer<T>> {
    let doubt: unknown;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await this.open(call);
        const text = await response.text().catch((cause: unknown) => lost(call, cause));
        return {
          status: response.status,
          headers: response.headers,
          body: (text === '' ? undefined : JSON.parse(text)) as T,
        };
      } catch (error) {
        if (isUnknown(error)) doubt = error;
        else if (doubt === undefined || !isUndecided(error)) throw error;
        if (call.signal?.aborted === true || attempt >= this.#retries) throw doubt;
        await pause(FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random()), call.signal);
      }
    }
  }

  /** The response of a single attempt, its body unread. */
  async open(call: Call): Promise<Response> {
    const response = await this.#fetch(this.#urlOf(call), this.#requestOf(call)).catch((cause: unknown) =>
      lost(call, cause),
    );
    if (response.ok) return response;
    throw errorOf(response, await response.text().catch(() => ''));
  }

  #urlOf({ path, query = {} }: Call): URL {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    return url;
  }

  #requestOf({ method = 'GET', body, headers = {}, signal }: Call): RequestInit {
    const sent = new Headers({ accept: 'application/json' });
    if (body !== undefined) sent.set('content-type', 'application/json');
    if (this.#actor !== undefined) sent.set('x-actor', this.#actor);
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) sent.set(name, value);
    return {
      method,
      headers: sent,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    };
  }
}

export const isUnknown = (error: unknown): boolean => isPoolError(error) && error.code === 'OUTCOME_UNKNOWN';

/** Answered before the service looked at its state, where a key would have been found. */
const UNDECIDED: ReadonlySet<ErrorCode> = new Set(['LOG_UNAVAILABLE', 'OVERLOADED', 'DRAINING', 'RATE_LIMITED']);
const isUndecided = (error: unknown): boolean => isPoolError(error) && UNDECIDED.has(error.code);

/** No answer: whether it was done cannot be said. An abort by the caller is passed on as it is. */
function lost(call: Call, cause: unknown): never {
  if (call.signal?.aborted === true) throw call.signal.reason;
  const inner = (cause as { cause?: { code?: string; message?: string } }).cause;
  const why = inner?.code ?? inner?.message ?? (cause instanceof Error ? cause.message : String(cause));
  throw new PoolError('OUTCOME_UNKNOWN', `no answer to ${call.method ?? 'GET'} ${call.path}: ${why}`, { cause });
}

/** The PoolError that a problem (RFC 9457) carries; whatever else answered is INTERNAL, with its status. */
export function errorOf(response: { readonly status: number }, text: string): PoolError {
  const problem = parse(text);
  const { type, title, status, detail, code, ...details } = problem ?? {};
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code))
    return new PoolError(code as ErrorCode, typeof detail === 'string' ? detail : code, { details });
  return new PoolError('INTERNAL', `status ${response.status} without a problem: ${text.slice(0, 200)}`);
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Waits; throws the signal's reason if it aborts first. Does not keep the process alive longer than the call does. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
