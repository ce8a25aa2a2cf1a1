import { BreakerGate } from '../../src/domain/breaker/breaker.ts';
import { type DecisionContext, decide } from '../../src/domain/decide.ts';
import { compilePlan } from '../../src/domain/plan.ts';
import { canonicalState } from '../../src/domain/snapshot.ts';
import { emptyState, type PoolState } from '../../src/domain/state.ts';
import type { Command, FollowUp } from '../../src/model/commands.ts';
import type { EventData } from '../../src/model/events.ts';
import { commandIdSource } from '../../src/model/ids.ts';
import { type Choice, chooseFrom, commandFor, LogChecker, leftWaiting, randomSource } from '../../src/testing/index.ts';
import { SMALL_TIERS } from '../support/small-tiers.ts';
import { config, START } from './spec.ts';

/** Few leases, and few that are remembered: everything happens often. */
export const SMALL = config({
  maxPoolSize: 12,
  enableCircuitBreaker: false,
  idempotency: { maxEntries: 30, retentionMs: 60_000 },
  load: { dwellMs: 50 },
  tiers: SMALL_TIERS,
});

/** One pool being run by choices: its state, and what a decision needs besides. */
export class Simulation {
  readonly state: PoolState = emptyState();
  readonly context: DecisionContext = { writerId: 'w1', breaker: new BreakerGate(SMALL), planFor: compilePlan };
  readonly #nextId = commandIdSource('0123456789abcde');
  #at = START;

  start(): Command[] {
    const stamp = () => ({ commandId: this.#nextId(), at: this.#at, actor: 'test' });
    const capacity = { cpu: 8_000, memory: 80_000 };
    return [
      { ...stamp(), type: 'OpenPool', data: { poolId: 'p', hostId: 'h' } },
      { ...stamp(), type: 'Configure', data: { config: SMALL, hash: 's', source: 'start', expectedRevision: null } },
      { ...stamp(), type: 'ObserveCapacity', data: { hostId: 'h', source: 'declared', capacity } },
    ];
  }

  stamped(next: FollowUp): Command {
    return { ...next, commandId: this.#nextId(), at: this.#at, actor: 'test' } as Command;
  }

  /** Time goes by between commands, at times backwards, as a wall clock may. */
  command(choice: Choice): Command | undefined {
    this.#at += choice[1] % 300 === 0 ? -500 : choice[2] % 120;
    return commandFor(this.state, choice, { commandId: this.#nextId(), at: this.#at });
  }
}

export interface Ran {
  readonly seed: number;
  /** Commands that were decided; choices without anything to act on are not counted. */
  readonly executed: number;
  readonly events: number;
  readonly types: ReadonlyMap<string, number>;
  readonly answers: ReadonlyMap<string, number>;
}

const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);

/** How often the whole folded state is compared with the working state. */
const COMPARE_EVERY = 1_000;

/** Executes that many random commands; every event is folded apart and checked. Throws with the seed at what is wrong. */
export function runRandom(commands: number, seed: number): Ran {
  const random = randomSource(seed);
  const simulation = new Simulation();
  const checker = new LogChecker();
  const [types, answers] = [new Map<string, number>(), new Map<string, number>()];
  /** What commands left to be done, of which each causes a handful of events here. */
  const pending: Command[] = [];
  let [executed, events] = [0, 0];
  const execute = (command: Command) => {
    const parts = 1 + (executed % 5);
    const decided = decide(simulation.state, command, simulation.context, undefined, parts);
    for (const event of decided.events) {
      checker.take(event);
      if (event.type === 'LeaseGranted') checkQuota(checker.state, event.data);
      count(types, event.type);
    }
    for (const next of decided.more) pending.push(simulation.stamped(next));
    const left = pending.length > 0 ? [] : leftWaiting(simulation.state);
    if (left.length > 0) throw new Error(`after ${command.type}: ${left.join('; ')}`);
    const { answer } = decided;
    count(answers, answer.kind === 'refused' ? answer.refusal.code : answer.kind);
    events += decided.events.length;
    executed += 1;
    if (executed % COMPARE_EVERY === 0) compare(simulation.state, checker.state);
  };
  try {
    simulation.start().forEach(execute);
    while (executed < commands || pending.length > 0) {
      const command = pending.shift() ?? simulation.command(chooseFrom(random));
      if (command !== undefined) execute(command);
    }
    compare(simulation.state, checker.state);
  } catch (error) {
    throw new Error(`seed ${seed}, command ${executed + 1}: ${String(error)}`, { cause: error });
  }
  return { seed, executed, events, types, answers };
}

/** Owners' quotas in these runs are a percentage of cpu. */
function checkQuota(state: PoolState, { request, amounts }: EventData['LeaseGranted']): void {
  const quota = state.config.quotas[request.owner]?.['cpu'];
  if (quota === undefined || amounts['cpu'] === 0) return;
  const limit = Math.floor(((state.allocatable['cpu'] ?? 0) * Number.parseInt(String(quota), 10)) / 100);
  const held = [...state.leases.values()].filter((lease) => lease.request.owner === request.owner);
  const sum = held.reduce((total, lease) => total + (lease.amounts['cpu'] ?? 0), 0);
  if (sum > limit) throw new Error(`${request.owner} holds ${sum} of its quota of ${limit}`);
}

function compare(working: PoolState, folded: PoolState): void {
  const [one, other] = [canonicalState(working), canonicalState(folded)];
  if (one !== other) throw new Error(`the working state differs from the fold of its log:\n${one}\n${other}`);
}
