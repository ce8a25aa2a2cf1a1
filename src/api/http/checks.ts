import type { FastifyInstance, FastifyRequest, FastifyServerOptions, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { schemaErrors } from '../../model/config/schema-errors.ts';
import { type FieldError, invalid } from '../../model/errors.ts';

type Part = 'params' | 'query' | 'headers' | 'body';
interface PartCheck {
  readonly part: Part;
  readonly schema: TSchema;
  readonly check: (value: unknown) => boolean;
}

/** The path under which a part's fields stand in errors; fields of the body stand as in the library. */
const PREFIX: Readonly<Record<Part, string>> = { params: 'path.', query: 'query.', headers: 'headers.', body: '' };

/** A route whose body somebody else judges (the model's own parser) says so in its config. */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** Gives every wrong field of the body, in place of the schema, and what else is wrong that no schema says. */
    judge?: (request: FastifyRequest) => FieldError[];
    /** Refused while the event loop is late. */
    shedsLoad?: boolean;
    /** Statuses of its own that it may answer with a problem. */
    problems?: readonly number[];
  }
}

/**
 * In place of the framework's compilers. Requests are checked below. Answers go out whole: a serializer made from a
 * schema drops what the schema forgot, and was slower (2.3 us a lease against 1.6 us on Node 24); that the schemas tell
 * the truth is held by a test.
 */
export const COMPILERS = {
  buildValidator: () => () => () => true,
  buildSerializer: () => () => JSON.stringify,
} as unknown as Compilers; // typed for Ajv's own functions only

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;

/**
 * Every route with a schema answers all wrong fields of path, query, headers and body at once. The framework's own
 * validation stops at the first part that is wrong, and coerces.
 */
export function checkRequests(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const checks = checksOf(route);
    if (checks.length === 0) return;
    const own = route.preHandler === undefined ? [] : [route.preHandler].flat();
    route.preHandler = [checker(checks, route), ...own];
  });
}

function checksOf(route: RouteOptions): PartCheck[] {
  const schema = route.schema ?? {};
  const parts: [Part, unknown][] = [
    ['params', schema.params],
    ['query', schema.querystring],
    ['headers', schema.headers],
    ['body', route.config?.judge === undefined ? schema.body : undefined],
  ];
  return parts
    .filter(([, part]) => part !== undefined)
    .map(([part, of]) => ({ part, schema: of as TSchema, check: whenFirstAsked(of as TSchema) }));
}

/** Compiled at the first request of its route: all of them together would be a tenth of a start. */
function whenFirstAsked(schema: TSchema): (value: unknown) => boolean {
  let compiled: Validator | undefined;
  return (value) => {
    compiled ??= Compile(schema);
    return compiled.Check(value);
  };
}

function checker(checks: readonly PartCheck[], route: RouteOptions) {
  const numeric = numericFields(checks.find(({ part }) => part === 'query')?.schema);
  return (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void => {
    if (numeric.length > 0) readNumbers(request.query as Record<string, unknown>, numeric);
    const right = checks.every(({ part, check }) => check(partOf(request, part)));
    done(right ? undefined : invalid(everyError(request, checks, route)));
  };
}

const partOf = (request: FastifyRequest, part: Part): unknown =>
  part === 'body' && request.body === undefined ? {} : request[part];

function everyError(request: FastifyRequest, checks: readonly PartCheck[], route: RouteOptions): FieldError[] {
  const errors = checks.flatMap(({ part, schema }) => schemaErrors(schema, partOf(request, part), PREFIX[part]));
  const judged = route.config?.judge?.(request) ?? [];
  return [...errors, ...judged].map((error) => (error.path === '' ? { ...error, path: 'body' } : error));
}

/** A query is text: the fields that are whole numbers are read as such, when they are written as such and no other way. */
function numericFields(schema: TSchema | undefined): string[] {
  const properties = (schema as { properties?: Record<string, { type?: string }> } | undefined)?.properties ?? {};
  return Object.keys(properties).filter((name) => properties[name]?.type === 'integer');
}

function readNumbers(query: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const text = query[name];
    if (typeof text === 'string' && /^(0|[1-9]\d{0,15})$/.test(text)) query[name] = Number(text);
  }
}
