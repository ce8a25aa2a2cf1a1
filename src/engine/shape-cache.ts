import { LRUCache } from 'lru-cache';
import { compilePlan, type Plan } from '../domain/plan.ts';
import type { PoolState } from '../domain/state.ts';
import type { ResolvedConfig } from '../model/config/config.ts';
import type { RequestSpec } from '../model/request.ts';
import type { Amounts, Requirements } from '../model/values/amounts.ts';

/** What a request asks for, without who asks and how: equal for all requests of one kind. */
export interface Shape {
  readonly type: string | null;
  readonly priority: string | null;
  readonly tier: string | null;
  readonly ttlMs: number | null;
  readonly requirements: Requirements;
  readonly amounts: Amounts;
  readonly minimum: Amounts | null;
  /** As it was written. */
  readonly minimumWritten: Requirements | null;
  plan: Plan | undefined;
  /** What the plan was compiled for. */
  /** What the plan was compiled for. */
  config: ResolvedConfig | undefined;
  allocatable: Amounts | undefined;
}

export interface CacheCounters {
  readonly hits: number;
  readonly misses: number;
  readonly bypasses: number;
  readonly size: number;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Requests by shape, least recently used out first. A shape keeps what its text comes to (amounts), and its plan for as long as
 * the configuration and the capacity stand; the plan keeps that it does not fit now, for as long as nothing comes free
 * (domain/decide/epoch.ts). It never holds free amounts, quotas, permits or a "fits": with and without it the same events and
 * refusals come of the same commands.
 */
export class ShapeCache {
  readonly #shapes: LRUCache<string, Shape> | undefined;
  /** The shape used last: the most recent of the cache, found without its key. */
  #last: Shape | undefined;
  #hits = 0;
  #misses = 0;
  #bypasses = 0;
  /** The shape of the command that is being decided. */
  present: Shape | undefined;

  /** `max` shapes; 0 turns it off. */
  constructor(max: number) {
    this.#shapes = max > 0 ? new LRUCache({ max }) : undefined;
  }

  get counters(): CacheCounters {
    return { hits: this.#hits, misses: this.#misses, bypasses: this.#bypasses, size: this.#shapes?.size ?? 0 };
  }

  /**
   * Hits that were used, of all valid allocates that were decided: stale ones, misses and bypasses count against it. A repeat that
   * its key answers needs no plan and is not counted; one decided again after a conflict counts again. Null before the first.
   */
  get hitRatio(): number | null {
    const all = this.#hits + this.#misses + this.#bypasses;
    return all === 0 ? null : this.#hits / all;
  }

  /** The shape of a request as it is written; undefined if it is not known, or is none. */
  find(request: Fields): Shape | undefined {
    if (this.#shapes === undefined) return undefined;
    const requirements = request['requirements'];
    if (typeof requirements !== 'object' || requirements === null) return undefined;
    const last = this.#last;
    if (last !== undefined && isShapeOf(last, request, requirements as Requirements)) return last;
    const shape = this.#shapes.get(keyOf(request, requirements as Requirements));
    if (shape === undefined || !isShapeOf(shape, request, requirements as Requirements)) return undefined;
    this.#last = shape;
    return shape;
  }

  /** Remembers a request that was found valid, under what it was written as. */
  add(request: Fields, spec: RequestSpec): Shape | undefined {
    if (this.#shapes === undefined) return undefined;
    const { type, priority, tier, ttlMs, requirements, amounts, minimum } = spec;
    const minimumWritten = (request['minimum'] ?? null) as Requirements | null;
    const shape: Shape = {
      type,
      priority,
      tier,
      ttlMs,
      requirements,
      amounts,
      minimum,
      minimumWritten: minimumWritten === null ? null : { ...minimumWritten },
      plan: undefined,
      config: undefined,
      allocatable: undefined,
    };
    this.#shapes.set(keyOf(request, requirements), shape);
    this.#last = shape;
    return shape;
  }

  /** For `DecisionContext.planFor`: the present shape's plan, compiled anew when it is not of this configuration and capacity. */
  readonly planFor = (state: PoolState, request: RequestSpec): Plan => {
    const shape = this.present;
    if (shape === undefined || shape.amounts !== request.amounts) {
      const plan = compilePlan(state, request);
      if (plan.errors === null) this.#bypasses += 1;
      return plan;
    }
    const known = shape.plan !== undefined && isCurrent(shape, state);
    const plan = known ? shape.plan! : this.#compile(shape, state, request);
    if (plan.errors !== null) return plan;
    if (known) this.#hits += 1;
    else this.#misses += 1;
    return plan;
  };

  #compile(shape: Shape, state: PoolState, request: RequestSpec): Plan {
    shape.plan = compilePlan(state, request);
    shape.config = state.config;
    shape.allocatable = state.allocatable;
    return shape.plan;
  }
}

/** By identity: the revision of a change that was undone may be another's later. */
const isCurrent = (shape: Shape, state: PoolState): boolean =>
  shape.config === state.config && shape.allocatable === state.allocatable;

/** Different requests may share a key, since nothing in it is quoted: `isShapeOf` decides. */
function keyOf(request: Fields, requirements: Requirements): string {
  let key = `${plain(request['tier'])}|${plain(request['priority'])}|${plain(request['type'])}|${plain(request['ttlMs'])}`;
  for (const dimension in requirements) key += `|${dimension}:${plain(requirements[dimension])}`;
  const minimum = request['minimum'];
  if (typeof minimum !== 'object' || minimum === null) return key;
  for (const dimension in minimum) key += `<${dimension}:${plain((minimum as Requirements)[dimension])}`;
  return key;
}

/** Of what a valid request has. Anything else need not be told apart, and may not even become a text. */
const plain = (value: unknown): unknown => (typeof value === 'string' || typeof value === 'number' ? value : undefined);

const isShapeOf = (shape: Shape, request: Fields, requirements: Requirements): boolean =>
  shape.tier === (request['tier'] ?? null) &&
  shape.priority === (request['priority'] ?? null) &&
  shape.type === (request['type'] ?? null) &&
  shape.ttlMs === (request['ttlMs'] ?? null) &&
  sameWritten(shape.requirements, requirements) &&
  sameMinimum(shape.minimumWritten, (request['minimum'] ?? null) as Requirements | null);

function sameMinimum(a: Requirements | null, b: Requirements | null): boolean {
  if (a === null || b === null) return a === b;
  return typeof b === 'object' && sameWritten(a, b);
}

function sameWritten(a: Requirements, b: Requirements): boolean {
  let count = 0;
  for (const dimension in b) {
    if (a[dimension] !== b[dimension] || a[dimension] === undefined) return false;
    count += 1;
  }
  for (const _ in a) count -= 1;
  return count === 0;
}
