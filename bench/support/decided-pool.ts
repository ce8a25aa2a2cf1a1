import { BreakerGate } from '../../src/domain/breaker/breaker.ts';
import { type Decided, type DecisionContext, decide } from '../../src/domain/decide.ts';
import { compilePlan } from '../../src/domain/plan.ts';
import { emptyState } from '../../src/domain/state.ts';
import type { Command, CommandData, CommandType } from '../../src/model/commands.ts';
import type { ResolvedConfig } from '../../src/model/config/config.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { CommandIds } from '../../src/model/ids.ts';
import type { Amounts } from '../../src/model/values/amounts.ts';

export interface DecidedPoolOptions {
  readonly config: ResolvedConfig;
  readonly capacity: Amounts;
  /** Of the next command, Unix ms. */
  readonly now: () => number;
  readonly planFor?: DecisionContext['planFor'];
}

/** A pool that is decided and folded, and nothing else: no mailbox, no store, no projections. */
export class DecidedPool {
  readonly state = emptyState();
  /** What its opening, configuration and capacity caused. */
  readonly opening: readonly RecordedPoolEvent[];
  readonly #context: DecisionContext;
  readonly #now: () => number;
  readonly #ids = new CommandIds('0123456789abcde');

  constructor({ config, capacity, now, planFor = compilePlan }: DecidedPoolOptions) {
    this.#context = { writerId: 'bench', breaker: new BreakerGate(config), planFor };
    this.#now = now;
    this.opening = [
      this.run('OpenPool', { poolId: 'default', hostId: 'bench' }),
      this.run('Configure', { config, hash: 'bench', source: 'start', expectedRevision: null }),
      this.run('ObserveCapacity', { hostId: 'bench', source: 'declared', capacity }),
    ].flatMap(({ events }) => events);
  }

  run<T extends CommandType>(type: T, data: CommandData[T]): Decided {
    const command = { type, commandId: this.#ids.next(), at: this.#now(), actor: 'bench', data };
    return decide(this.state, command as unknown as Command, this.#context);
  }
}
