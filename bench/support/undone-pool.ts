import { BreakerGate } from '../../src/domain/breaker/breaker.ts';
import { type Decided, decide } from '../../src/domain/decide.ts';
import { Journal } from '../../src/domain/ledger/journal.ts';
import { compilePlan } from '../../src/domain/plan.ts';
import { emptyState, type LeaseRecord, type PoolState } from '../../src/domain/state.ts';
import { parseConfig } from '../../src/index.ts';
import type { Command, CommandData, CommandType } from '../../src/model/commands.ts';
import type { ResolvedConfig } from '../../src/model/config/config.ts';
import { CommandIds } from '../../src/model/ids.ts';
import type { RequestSpec } from '../../src/model/request.ts';
import { bareRequest } from '../../test/support/bare-request.ts';

/** Each figure is of so much CPU at least, or of so many rounds: a kernel counts CPU in ticks of some ms. */
const LEAST_US = 40_000;
const MOST_ROUNDS = 20_000;
const QUEUE = { policy: 'bestEffort', maxLength: 1_000_000, maxWaitMs: 3_600_000, ageingMs: 1_000 };

/** CPU of this thread, us. */
export function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Tiers of one size that serve every class: who waits stands in all of them. */
export const evenTiers = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    name: `t${i}`,
    priorities: ['critical', 'high', 'normal', 'low'],
    nominal: `${Math.floor(100 / count)}%`,
    queue: QUEUE,
  }));

export const largeConfig = (patch: object = {}): ResolvedConfig =>
  parseConfig({
    maxPoolSize: 1_000_000,
    minPoolSize: 1,
    cleanupIntervalMs: 30_000,
    resourceTimeoutMs: 600_000,
    cacheMaxSize: 0,
    enableCircuitBreaker: false,
    reserve: '0%',
    ...patch,
  });

/** A pool in which commands are measured: decided, folded and taken back, so that it stands as before. */
export class UndonePool {
  readonly state: PoolState = emptyState();
  readonly capacity: Readonly<Record<string, number>>;
  readonly #journal = new Journal();
  readonly #context;
  readonly #ids = new CommandIds('0123456789abcde');
  #now = 1_767_225_600_000;
  #made = 0;

  constructor(config: ResolvedConfig, cpu: number) {
    this.capacity = { cpu, memory: 2 ** 50 };
    this.#context = { writerId: 'w', breaker: new BreakerGate(config), planFor: compilePlan };
    this.run('OpenPool', { poolId: 'p', hostId: 'h' });
    this.run('Configure', { config, hash: 'first', source: 'start', expectedRevision: null });
    this.run('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: this.capacity });
  }

  request(cpu: number, fields: Partial<RequestSpec> = {}): RequestSpec {
    this.#made += 1;
    return bareRequest({ id: `r${this.#made}`, amounts: { cpu, memory: 1 }, requirements: { cpu }, ...fields });
  }

  decide<T extends CommandType>(type: T, data: CommandData[T], key?: string): Decided {
    const stamped = { type, commandId: this.#ids.next(), at: this.#now, actor: 'bench', data };
    const command = key === undefined ? stamped : { ...stamped, key: { key, body: 'same' } };
    return decide(this.state, command as unknown as Command, this.#context, this.#journal);
  }

  /** It stays. */
  run<T extends CommandType>(type: T, data: CommandData[T], key?: string): Decided {
    const decided = this.decide(type, data, key);
    this.#journal.clear();
    this.state.ended.settle();
    return decided;
  }

  undo(): void {
    this.#journal.undoTo(0);
  }

  /** Grants `count` leases of one unit of cpu; they run out one ms after another. */
  fill(count: number, fields: (i: number) => Partial<RequestSpec> = () => ({})): void {
    for (let i = 0; i < count; i++) {
      this.#now += 1;
      this.run('Allocate', { request: this.request(1, fields(i)) });
    }
  }

  /** `count` requests that cannot be granted, unless `cpu` comes free. */
  queue(count: number, cpu: number): void {
    for (let i = 0; i < count; i++) this.run('Allocate', { request: this.request(cpu, { waitMs: 3_600_000 }) });
  }

  nth(n: number): LeaseRecord {
    const leases = [...this.state.leases.values()];
    return leases[n % leases.length]!;
  }

  /** us of CPU, the undo included. */
  measure(act: () => unknown): number {
    for (let i = 0; i < 2; i++) this.#once(act);
    const began = cpuUs();
    let took = 0;
    let rounds = 0;
    while (rounds < 2 || (rounds < MOST_ROUNDS && took < LEAST_US)) {
      this.#once(act);
      rounds += 1;
      if (rounds % 16 === 0 || took > 1_000) took = cpuUs() - began;
    }
    return took / rounds;
  }

  #once(act: () => unknown): void {
    act();
    this.undo();
  }
}
