import { BreakerGate } from '../../src/domain/breaker/breaker.ts';
import { type Answer, type Decided, type DecisionContext, decide } from '../../src/domain/decide.ts';
import { checkInvariants } from '../../src/domain/invariants.ts';
import type { Journal } from '../../src/domain/ledger/journal.ts';
import { compilePlan } from '../../src/domain/plan.ts';
import { emptyState, type LeaseRecord, type PoolState, type WaitingRecord } from '../../src/domain/state.ts';
import type { Command, CommandData, CommandOf, CommandType } from '../../src/model/commands.ts';
import type { ResolvedConfig } from '../../src/model/config/config.ts';
import { parseConfig } from '../../src/model/config/resolve-config.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { commandIdSource } from '../../src/model/ids.ts';
import type { Refusal } from '../../src/model/refusals.ts';
import { type RequestSpec, requestBody } from '../../src/model/request.ts';
import { canonicalJson } from '../../src/model/values/canonical.ts';
import { bareRequest } from '../support/bare-request.ts';

export const START = Date.UTC(2026, 0, 1);

/** One tier that owns everything and no reserve: the numbers of a test are the numbers it writes. */
export const ONE_TIER = {
  reserve: '0%',
  tiers: [{ name: 'main', priorities: ['critical', 'high', 'normal', 'low'], nominal: '100%' }],
};

export const CONFIG_DEFAULTS = {
  maxPoolSize: 10_000,
  minPoolSize: 1,
  cleanupIntervalMs: 30_000,
  resourceTimeoutMs: 60_000,
  cacheMaxSize: 0,
  enableCircuitBreaker: true,
};

export const config = (patch: object = {}): ResolvedConfig =>
  parseConfig({ ...CONFIG_DEFAULTS, ...ONE_TIER, ...patch });

export const request = (id: string, fields: Partial<RequestSpec>): RequestSpec => bareRequest({ id, ...fields });

const keyIn = (data: object): string | null =>
  'request' in data ? (data.request as RequestSpec).idempotencyKey : null;

/** A pool to which commands are given in turn; every event's state is checked against the invariants. */
export class Spec {
  readonly state: PoolState = emptyState();
  readonly log: RecordedPoolEvent[] = [];
  readonly gate: BreakerGate;
  readonly context: DecisionContext;
  now = START;
  readonly #nextId = commandIdSource('000000000000001');

  constructor(patch: object = {}, capacity: Record<string, number> = { cpu: 10_000 }) {
    const resolved = config(patch);
    this.gate = new BreakerGate(resolved);
    this.context = { writerId: 'w1', breaker: this.gate, planFor: compilePlan };
    this.when('OpenPool', { poolId: 'p', hostId: 'h' });
    this.when('Configure', { config: resolved, hash: 'first', source: 'start', expectedRevision: null });
    this.when('ObserveCapacity', { hostId: 'h', source: 'declared', capacity });
  }

  /** The pool as it is after a restart, recovered to this state. */
  restartedAt(state: PoolState): Spec {
    return Object.assign(new Spec(), { state, now: this.now });
  }

  /** With a key if one is given; that of an allocate is in its request. */
  command<T extends CommandType>(type: T, data: CommandData[T], key: string | null = keyIn(data)): CommandOf<T> {
    const stamped = { type, commandId: this.#nextId(), at: this.now, actor: 'test', data };
    const body = 'request' in data ? requestBody(data.request, stamped.commandId) : data;
    const command = key === null ? stamped : { ...stamped, key: { key, body: canonicalJson(body) } };
    return command as unknown as CommandOf<T>;
  }

  when<T extends CommandType>(type: T, data: CommandData[T], journal?: Journal): Decided {
    return this.decide(this.command(type, data), journal);
  }

  /** As `when`, with an idempotency key. */
  keyed<T extends CommandType>(key: string, type: T, data: CommandData[T]): Decided {
    return this.decide(this.command(type, data, key));
  }

  decide(command: Command, journal?: Journal, eventsAtOnce?: number): Decided {
    const decided = decide(this.state, command, this.context, journal, eventsAtOnce);
    this.log.push(...decided.events);
    const wrong = checkInvariants(this.state);
    if (wrong.length > 0) throw new Error(`after ${command.type}: ${wrong.join('; ')}`);
    return decided;
  }

  /** The names of the events that the command caused. */
  events<T extends CommandType>(type: T, data: CommandData[T]): string[] {
    return this.when(type, data).events.map((event) => event.type);
  }

  ask(id: string, amounts: Record<string, number>, fields: Partial<RequestSpec> = {}): Answer {
    return this.when('Allocate', { request: request(id, { amounts, ...fields }) }).answer;
  }

  granted(id: string, amounts: Record<string, number>, fields: Partial<RequestSpec> = {}): LeaseRecord {
    const answer = this.ask(id, amounts, fields);
    if (answer.kind !== 'granted') throw new Error(`${id} is not granted: ${JSON.stringify(answer)}`);
    return answer.lease;
  }

  queued(id: string, amounts: Record<string, number>, fields: Partial<RequestSpec> = {}): WaitingRecord {
    const answer = this.ask(id, amounts, { waitMs: 60_000, ...fields });
    if (answer.kind !== 'queued') throw new Error(`${id} is not queued: ${JSON.stringify(answer)}`);
    return answer.request;
  }

  refused(id: string, amounts: Record<string, number>, fields: Partial<RequestSpec> = {}): Refusal {
    return refusalOf(this.ask(id, amounts, fields));
  }

  release(lease: Pick<LeaseRecord, 'leaseId' | 'token'>): Answer {
    return this.when('Release', { leaseId: lease.leaseId, token: lease.token, cause: 'holder' }).answer;
  }

  /** The live lease of that name. */
  lease(name: string): LeaseRecord {
    const lease = this.state.leases.get(this.state.names.get(name) ?? '');
    if (lease === undefined) throw new Error(`${name} is not held`);
    return lease;
  }

  /** The callers' names of what is held, in the order of the grants. */
  held(): string[] {
    return [...this.state.leases.values()].sort((a, b) => a.token - b.token).map((lease) => lease.request.id);
  }
}

export function refusalOf(answer: Answer): Refusal {
  if (answer.kind !== 'refused') throw new Error(`not refused: ${answer.kind}`);
  return answer.refusal;
}
