import fc from 'fast-check';
import { BreakerGate } from '../../src/domain/breaker/breaker.ts';
import { type DecisionContext, decide } from '../../src/domain/decide.ts';
import { compilePlan } from '../../src/domain/plan.ts';
import { emptyState } from '../../src/domain/state.ts';
import type { CommandData, CommandOf, CommandType } from '../../src/model/commands.ts';
import { parseConfig } from '../../src/model/config/resolve-config.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { commandIdSource } from '../../src/model/ids.ts';
import type { RequestSpec } from '../../src/model/request.ts';
import { bareRequest } from '../support/bare-request.ts';

export const START = Date.UTC(2026, 0, 1);

/** Retention so short that histories of a test forget leases, too. */
const CONFIG = parseConfig({ reserve: '0%', idempotency: { maxEntries: 20 }, leases: { quarantineMs: 500 } });

/** One thing that happens. `pick` chooses among what there is then; `afterMs` passes before it. */
export interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly pick: number;
  readonly afterMs: number;
}

const KINDS = [
  'allocate',
  'allocate',
  'allocate',
  'wait',
  'wait',
  'wait',
  'release',
  'release',
  'renew',
  'expire',
  'revoke',
  'cancel',
  'giveUp',
  'sweep',
  'tier',
  'breaker',
  'writer',
] as const;

/** Histories of up to some 200 commands. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    pick: fc.nat(1_000),
    afterMs: fc.oneof({ weight: 3, arbitrary: fc.nat(50) }, { weight: 1, arbitrary: fc.nat(90_000) }),
  }),
  { maxLength: 200, size: 'max' },
);

/** The log that the steps leave: every event was decided by the domain. */
export function historyOf(history: readonly Step[]): RecordedPoolEvent[] {
  const pool = new ScriptedPool();
  for (const step of history) pool.take(step);
  return pool.log;
}

const OWNERS = ['ann', 'bob', '__proto__'];
const PRIORITIES = ['critical', 'high', 'normal', 'low'];

const requestOf = (id: string, pick: number, waitMs: number): RequestSpec =>
  bareRequest({
    id,
    priority: PRIORITIES[pick % 4]!,
    owner: OWNERS[pick % 3]!,
    requirements: { cpu: 10 },
    amounts: { cpu: 100 * (1 + (pick % 9)), memory: 1_000 * (pick % 5) },
    ttlMs: 1_000 * (1 + (pick % 40)),
    waitMs,
    idempotencyKey: pick % 5 === 0 ? `key-${id}` : null,
  });

class ScriptedPool {
  readonly log: RecordedPoolEvent[] = [];
  readonly #state = emptyState();
  readonly #nextId = commandIdSource('00000000000000a');
  readonly #context: DecisionContext = {
    writerId: 'w1',
    breaker: new BreakerGate(CONFIG),
    planFor: compilePlan,
  };
  #now = START;
  #names = 0;

  constructor() {
    this.#decide('OpenPool', { poolId: 'p', hostId: 'h' });
    this.#decide('Configure', { config: CONFIG, hash: 'first', source: 'start', expectedRevision: null });
    this.#decide('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu: 2_000, memory: 8_000 } });
  }

  take({ kind, pick, afterMs }: Step): void {
    this.#now += afterMs;
    const lease = [...this.#state.leases.values()][pick % Math.max(1, this.#state.leases.size)];
    const waiter = [...this.#state.waiting.values()][pick % Math.max(1, this.#state.waiting.size)];
    const tier = this.#state.tiers[pick % this.#state.tiers.length]!.name;
    if (kind === 'allocate') this.#allocate(pick, 0);
    else if (kind === 'wait') this.#allocate(pick, 60_000);
    else if (kind === 'sweep') this.#decide('Sweep', {});
    else if (kind === 'writer') this.#decide('StartWriter', { writerId: 'w1', hostId: 'h', version: '1' });
    else if (kind === 'tier') this.#operate(tier, pick);
    else if (kind === 'breaker') this.#triggerBreaker(pick);
    else if (kind === 'expire') this.#expire();
    else if (kind === 'cancel' && waiter !== undefined) this.#decide('Cancel', { requestId: waiter.request.id });
    else if (kind === 'giveUp' && waiter !== undefined) this.#decide('ExpireRequests', { leaseIds: [waiter.leaseId] });
    else if (lease !== undefined) this.#touch(kind, lease, pick);
  }

  #allocate(pick: number, waitMs: number): void {
    this.#names += 1;
    this.#decide('Allocate', { request: requestOf(`task-${this.#names}`, pick, waitMs) });
  }

  #operate(tier: string, pick: number): void {
    if (pick % 4 === 0) this.#decide('DrainTier', { tier, deadlineMs: 1_000 });
    else if (pick % 4 === 1) this.#decide('CordonTier', { tier });
    else this.#decide('UncordonTier', { tier });
  }

  #triggerBreaker(pick: number): void {
    const trigger = pick % 2 === 0 ? 'force.disabled' : 'force.closed';
    this.#decide('TriggerBreaker', { trigger, generation: null, draw: 0.5 });
  }

  #expire(): void {
    const over = [...this.#state.leases.values()].filter(({ expiresAt }) => expiresAt <= this.#now);
    this.#decide('ReclaimExpired', { leases: over.map(({ leaseId, expiresAt }) => ({ leaseId, expiresAt })) });
    const noticed = [...this.#state.leases.values()].filter(
      ({ noticeEndsAt }) => (noticeEndsAt ?? Infinity) <= this.#now,
    );
    this.#decide('EndNoticed', { leaseIds: noticed.map(({ leaseId }) => leaseId) });
    this.#decide('EndQuarantine', { leaseIds: [...this.#state.quarantine.keys()] });
  }

  #touch(kind: Step['kind'], { leaseId, token }: { leaseId: string; token: number }, pick: number): void {
    if (kind === 'release') this.#decide('Release', { leaseId, token, cause: 'holder' });
    else if (kind === 'renew') this.#decide('Renew', { leaseId, token, ttlMs: null });
    else if (kind === 'revoke') this.#decide('Revoke', { leaseId, reason: null, graceMs: pick % 2 === 0 ? 0 : 100 });
  }

  #decide<T extends CommandType>(type: T, data: CommandData[T]): void {
    const command = { type, commandId: this.#nextId(), at: this.#now, actor: 'test', data };
    const { events } = decide(this.#state, command as unknown as CommandOf<T>, this.#context);
    this.log.push(...events);
  }
}

/** Pages of a log that is in memory, as a store gives them. */
export const pagesOf = <E>(log: readonly E[], size = 7) =>
  async function* (from: number, to: number): AsyncGenerator<readonly E[]> {
    const end = Math.min(log.length, to + 1);
    for (let at = from; at < end; at += size) yield log.slice(at, Math.min(end, at + size));
  };
