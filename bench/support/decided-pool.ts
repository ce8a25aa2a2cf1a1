import { BreakerGate } from '../../src/domain/breaker.ts';
import { type DecisionContext, decide } from '../../src/domain/decide.ts';
import { compilePlan, type Plan } from '../../src/domain/plan.ts';
import { emptyState } from '../../src/domain/state.ts';
import type { Command, CommandData, CommandType } from '../../src/model/commands.ts';
import { CommandIds } from '../../src/model/ids.ts';
import type { RequestSpec } from '../../src/model/request.ts';
import { parseConfig } from '../../src/model/resolve-config.ts';

const CONFIG = parseConfig({
  maxPoolSize: 10_000,
  minPoolSize: 16,
  cleanupIntervalMs: 30_000,
  resourceTimeoutMs: 300_000,
  cacheMaxSize: 1_000,
});
const REQUEST: RequestSpec = {
  id: 'task-1',
  type: 'memory',
  priority: 'normal',
  owner: 'anonymous',
  tier: null,
  requirements: { memory: 1, cpu: 1 },
  amounts: { memory: 2 ** 20, cpu: 10 },
  minimum: null,
  labels: null,
  ttlMs: null,
  waitMs: 0,
  deadline: null,
  idempotencyKey: null,
  detached: false,
};

/** A pool that is decided and folded, and nothing else: no mailbox, no store, no projections. */
export class DecidedPool {
  readonly #state = emptyState();
  readonly #context: DecisionContext = {
    writerId: 'bench',
    breaker: new BreakerGate(CONFIG),
    planFor: (state, request) => (this.#plan ??= compilePlan(state, request)), // as the cache has it: one shape, capacity as it is
  };
  #plan: Plan | undefined;
  readonly #ids = new CommandIds('0123456789abcde');

  constructor() {
    this.#run('OpenPool', { poolId: 'default', hostId: 'bench' });
    this.#run('Configure', { config: CONFIG, hash: 'bench', source: 'start', expectedRevision: null });
    this.#run('ObserveCapacity', {
      hostId: 'bench',
      source: 'declared',
      capacity: { memory: 2 ** 36, cpu: 64_000 },
    });
  }

  pair(): void {
    const [lease] = this.#run('Allocate', { request: REQUEST }).leases;
    if (lease === undefined) throw new Error('nothing was granted');
    this.#run('Release', { leaseId: lease.leaseId, token: lease.token, cause: 'holder' });
  }

  #run<T extends CommandType>(type: T, data: CommandData[T]) {
    const command = { type, commandId: this.#ids.next(), at: Date.now(), actor: 'bench', data };
    return decide(this.#state, command as unknown as Command, this.#context);
  }
}
