import { type FieldError, invalid, PoolError } from '../model/errors.ts';
import type { Node, ResourceRequest, Task, TaskRouter } from '../model/interfaces.ts';
import { parseRequest } from '../model/request.ts';
import type { Amounts } from '../model/values/amounts.ts';

export interface TaskRouterOptions {
  /** Nodes to route to, or how to get them; asked anew for each task. */
  readonly nodes?: readonly Node[] | (() => readonly Node[] | Promise<readonly Node[]>);
  /** The pool of this process as a node, as it stands. */
  readonly localPool?: () => Node;
}

/**
 * The default router: a task goes to the healthy node on which it fits and whose dominant share is then the least. It
 * reserves nothing: the node itself grants or refuses, and its answer decides.
 */
export function createTaskRouter(options: TaskRouterOptions): TaskRouter {
  if (options.nodes === undefined && options.localPool === undefined) {
    throw invalid([{ path: 'nodes', value: undefined, allowed: 'nodes, a localPool, or both' }], 'INVALID_CONFIG');
  }
  return new Router(options);
}

class Router implements TaskRouter {
  readonly #options: TaskRouterOptions;

  constructor(options: TaskRouterOptions) {
    this.#options = options;
  }

  /** Rejects with NEVER_FITS or EXHAUSTED (details: shortfall by dimension on the nearest node), or INVALID_REQUEST. */
  async routeTask(task: Task): Promise<Node> {
    const amounts = amountsOf(this.getResourceRequirements(task));
    const healthy = (await this.#nodes()).filter((node) => node.healthy);
    const fitting = healthy.filter((node) => fits(amounts, node.available));
    if (fitting.length === 0) throw refusal(task, amounts, healthy);
    return fitting.reduce((best, node) => (isBefore(node, best, amounts) ? node : best));
  }

  getResourceRequirements(task: Task): ResourceRequest {
    const { id, requirements, type, priority, owner, labels } = task;
    const request: ResourceRequest = {
      id,
      requirements,
      ...(type !== undefined && { type }),
      ...(priority !== undefined && { priority }),
      ...(owner !== undefined && { owner }),
      ...(labels !== undefined && { labels }),
    };
    amountsOf(request);
    return request;
  }

  /** Whether the node is healthy and has what is asked for free. Throws INVALID_REQUEST on a malformed request. */
  validateResources(node: Node, request: ResourceRequest): boolean {
    return node.healthy && fits(amountsOf(request), node.available);
  }

  async #nodes(): Promise<readonly Node[]> {
    const { nodes = [], localPool } = this.#options;
    const remote = typeof nodes === 'function' ? await nodes() : nodes;
    return localPool === undefined ? remote : [localPool(), ...remote];
  }
}

function amountsOf(request: ResourceRequest): Amounts {
  const errors: FieldError[] = [];
  const spec = parseRequest(request, 'unnamed', errors);
  if (spec === undefined) throw invalid(errors);
  return spec.amounts;
}

const fits = (amounts: Amounts, room: Amounts): boolean =>
  Object.entries(amounts).every(([dimension, amount]) => amount <= (room[dimension] ?? 0));

/** The node's fullest dimension once the task is on it, 0..1: its dominant share (DRF, Ghodsi et al., NSDI 2011). */
function dominantShare(node: Node, amounts: Amounts): number {
  const shares = Object.entries(node.capacity).map(([dimension, capacity]) => {
    const used = capacity - (node.available[dimension] ?? 0) + (amounts[dimension] ?? 0);
    return capacity > 0 ? used / capacity : 0;
  });
  return Math.max(0, ...shares);
}

function isBefore(a: Node, b: Node, amounts: Amounts): boolean {
  const difference = dominantShare(a, amounts) - dominantShare(b, amounts);
  return difference < 0 || (difference === 0 && a.id < b.id);
}

function refusal(task: Task, amounts: Amounts, healthy: readonly Node[]): PoolError {
  const possible = healthy.filter((node) => fits(amounts, node.capacity));
  if (possible.length === 0 && healthy.length > 0) {
    return new PoolError('NEVER_FITS', `task ${task.id} is larger than each of ${healthy.length} healthy nodes`, {
      details: {
        shortfall: leastShortfall(
          amounts,
          healthy.map((node) => node.capacity),
        ),
      },
    });
  }
  const reason =
    healthy.length === 0 ? 'no node is healthy' : `no room now on ${possible.length} nodes that are large enough`;
  return new PoolError('EXHAUSTED', `task ${task.id}: ${reason}`, {
    details: {
      shortfall: leastShortfall(
        amounts,
        possible.map((node) => node.available),
      ),
    },
  });
}

/** What the node that lacks least, as shares of what is asked, lacks by dimension. */
function leastShortfall(amounts: Amounts, rooms: readonly Amounts[]): Amounts {
  const lacks = rooms.map((room) => {
    const entries = Object.entries(amounts).map(
      ([name, amount]) => [name, Math.max(0, amount - (room[name] ?? 0))] as const,
    );
    return Object.fromEntries(entries.filter(([, lack]) => lack > 0));
  });
  const weight = (lack: Amounts): number =>
    Math.max(0, ...Object.entries(lack).map(([name, each]) => each / amounts[name]!));
  return lacks.reduce<Amounts>((best, lack, index) => (index === 0 || weight(lack) < weight(best) ? lack : best), {});
}
