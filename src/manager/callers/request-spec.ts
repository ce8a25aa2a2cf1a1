import type { Shape, ShapeCache } from '../../engine/shape-cache.ts';
import { type FieldError, invalid } from '../../model/errors.ts';
import { isId } from '../../model/ids.ts';
import { DEFAULT_OWNER, parseRequest, type RequestSpec } from '../../model/request.ts';

export interface SpecOptions {
  readonly idempotencyKey?: string | undefined;
  readonly waitMs?: number | undefined;
  readonly detached?: boolean | undefined;
}

/** A request in its normal form, and its shape if that is cached. */
export interface Specified {
  readonly spec: RequestSpec;
  readonly shape: Shape | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const PLAIN_FIELDS = new Set([
  'id',
  'type',
  'priority',
  'requirements',
  'owner',
  'tier',
  'ttlMs',
  'waitMs',
  'idempotencyKey',
  'signal',
]);
const PLAIN_WAIT_MS = 86_400_000;

/**
 * Gives a request its normal form. One whose shape is known, and whose other fields are plain, is not parsed again: the outcome
 * is the same. Throws INVALID_REQUEST with every wrong field.
 */
export function specify(request: unknown, madeId: string, cache: ShapeCache, options?: SpecOptions): Specified {
  const written = withOptions(request, options);
  const shape = isObject(written) ? cache.find(written) : undefined;
  const spec = shape === undefined ? undefined : plainSpec(written as Fields, madeId, shape);
  if (spec !== undefined) return { spec: detach(spec, options), shape };
  return parsed(written, madeId, cache, shape, options);
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

function withOptions(request: unknown, options: SpecOptions | undefined): unknown {
  if (options === undefined || !isObject(request)) return request;
  const { idempotencyKey, waitMs } = options;
  if (idempotencyKey === undefined && waitMs === undefined) return request;
  return {
    ...request,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(waitMs !== undefined && { waitMs }),
  };
}

const detach = (spec: RequestSpec, options: SpecOptions | undefined): RequestSpec =>
  options?.detached === true ? { ...spec, detached: true } : spec;

function parsed(
  written: unknown,
  madeId: string,
  cache: ShapeCache,
  known: Shape | undefined,
  options: SpecOptions | undefined,
): Specified {
  const errors: FieldError[] = [];
  const spec = parseRequest(written, madeId, errors);
  if (spec === undefined) throw invalid(errors);
  // The caller's object stays the caller's: what is recorded must not change under it.
  const own = known === undefined ? { ...spec, requirements: { ...spec.requirements } } : sharing(spec, known);
  const shape = known ?? cache.add(written as Fields, own);
  return { spec: detach(own, options), shape };
}

const sharing = (spec: RequestSpec, { requirements, amounts, minimum }: Shape): RequestSpec => ({
  ...spec,
  requirements,
  amounts,
  minimum,
});

/** The normal form of a request whose fields outside its shape are plain and valid; undefined if they need a closer look. */
function plainSpec(request: Fields, madeId: string, shape: Shape): RequestSpec | undefined {
  for (const name in request) if (!PLAIN_FIELDS.has(name)) return undefined;
  const id = request['id'] ?? madeId;
  const owner = request['owner'] ?? DEFAULT_OWNER;
  const waitMs = request['waitMs'] ?? 0;
  const idempotencyKey = request['idempotencyKey'] ?? null;
  if (id !== madeId && !isId(id)) return undefined;
  if ((owner !== DEFAULT_OWNER && !isId(owner)) || !isPlainWait(waitMs)) return undefined;
  if (idempotencyKey !== null && !isId(idempotencyKey)) return undefined;
  return {
    id: id as string,
    type: shape.type,
    priority: shape.priority,
    owner: owner as string,
    tier: shape.tier,
    requirements: shape.requirements,
    amounts: shape.amounts,
    minimum: shape.minimum,
    labels: null,
    ttlMs: shape.ttlMs,
    waitMs,
    deadline: null,
    idempotencyKey,
    detached: false,
  };
}

const isPlainWait = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= PLAIN_WAIT_MS;
