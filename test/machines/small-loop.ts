import type { LiveActors, LiveActorsFactory, LiveFold } from '../../src/machines/live/actors.ts';
import type { LiveCommand } from '../../src/machines/live/command.ts';
import { BREAKER_INITIAL, nextBreakerMode, nextTierMode, TIER_INITIAL } from '../../src/machines/transitions.ts';
import { DEFAULT_POOL_CONFIG, DEFAULT_TIER, type ResolvedConfig } from '../../src/model/config/config.ts';
import type { EventData, RecordedPoolEvent } from '../../src/model/events.ts';
import type { BreakerTrigger, TierMode, TierTrigger } from '../../src/model/modes.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import { Committed } from '../../src/time/committed.ts';
import { Mailbox } from '../../src/time/mailbox.ts';

export const WRITER = 'writer-a';
export const OPEN_MS = 5_000;
export const HALF_OPEN_MS = 10_000;

export const configOf = (tiers: readonly string[], sampleMs = 500): ResolvedConfig => ({
  ...DEFAULT_POOL_CONFIG,
  tiers: tiers.map((name) => ({ ...DEFAULT_TIER, name })),
  load: { ...DEFAULT_POOL_CONFIG.load, sampleMs },
});

interface Tier {
  mode: TierMode;
  deadlineAt: number | null;
}

/** Actors that do nothing: what is left of the modes when no one waits. */
export const noActors: LiveActorsFactory = () => ({
  start: () => undefined,
  breakerChanged: () => undefined,
  modes: () => ({ tiers: new Map(), breaker: BREAKER_INITIAL }),
  stop: () => undefined,
});

/**
 * The smallest loop that decides with the table: triggers and the actors' commands come in, mode events are folded and
 * committed, and the actors follow what is committed.
 */
export class SmallLoop {
  readonly clock: FakeClock = fakeClock();
  readonly commands: LiveCommand[] = [];
  readonly looks: string[] = [];
  readonly tiers = new Map<string, Tier>();
  readonly committed = new Committed();
  /** Of the last event. */
  at = 0;
  breaker = { mode: BREAKER_INITIAL, generation: 0, until: null as number | null };
  config: ResolvedConfig;
  /** The log is away: what the actors ask for is lost. */
  losing = false;
  actors: LiveActors;
  readonly #factory: LiveActorsFactory;
  readonly #mailbox = new Mailbox<LiveCommand>({ limit: () => 100, wake: 'microtask', drain: () => this.#drain() });
  #revision = 0;

  constructor(factory: LiveActorsFactory, tiers: readonly string[] = ['standard']) {
    this.#factory = factory;
    this.config = configOf(tiers);
    this.#foldConfig(this.config);
    this.actors = this.#startActors();
  }

  /** Ends the actors and starts others from the fold, as a restart does. */
  restart(): void {
    this.actors.stop();
    this.actors = this.#startActors();
  }

  tierTrigger(tier: string, trigger: TierTrigger, drainMs = 60_000): void {
    const found = this.tiers.get(tier);
    const to = found && nextTierMode(found.mode, trigger);
    if (found === undefined || to === undefined) return;
    const deadlineAt = trigger === 'drain' ? this.clock.now() + drainMs : null;
    const from = found.mode;
    found.mode = to;
    if (to.admission !== from.admission) found.deadlineAt = deadlineAt;
    this.#commit('TierModeChanged', { tier, trigger, from, to, deadlineAt });
  }

  breakerTrigger(trigger: BreakerTrigger): void {
    const change = this.breakerChange(trigger);
    if (change !== undefined) this.#commit('BreakerModeChanged', change);
  }

  /** The change as decided and folded, not committed. */
  breakerChange(trigger: BreakerTrigger): EventData['BreakerModeChanged'] | undefined {
    const { mode: from, generation: before } = this.breaker;
    const to = nextBreakerMode(from, trigger);
    if (to === undefined) return undefined;
    const waitMs = to === 'open' ? OPEN_MS : to === 'halfOpen' ? HALF_OPEN_MS : null;
    const until = waitMs === null ? null : this.clock.now() + waitMs;
    this.breaker = { mode: to, generation: before + 1, until };
    return { writerId: WRITER, trigger, from, to, generation: before + 1, until, reopened: 0 };
  }

  commitBreaker(change: EventData['BreakerModeChanged']): void {
    this.#commit('BreakerModeChanged', change);
  }

  configure(config: ResolvedConfig): void {
    this.#foldConfig(config);
    const sized = { allocatable: {}, tiers: {} };
    this.#commit('ConfigChanged', { config, hash: '', source: 'patch', sized });
  }

  #startActors(): LiveActors {
    const actors = this.#factory({
      clock: this.clock,
      writerId: WRITER,
      committed$: this.committed.committed$,
      dispatch: (command) => this.losing || this.#mailbox.push(command),
      sampleFaster: (tier) => this.looks.push(tier),
    });
    actors.start(this.fold());
    return actors;
  }

  fold(): LiveFold {
    const tiers = [...this.tiers].map(([name, tier]) => ({ name, ...tier }));
    return { at: this.at, config: this.config, tiers, breaker: this.breaker };
  }

  #foldConfig(config: ResolvedConfig): void {
    this.config = config;
    const names = config.tiers.map((tier) => tier.name);
    for (const name of this.tiers.keys()) if (!names.includes(name)) this.tiers.delete(name);
    for (const name of names) if (!this.tiers.has(name)) this.tiers.set(name, { mode: TIER_INITIAL, deadlineAt: null });
  }

  #drain(): void {
    for (const command of this.#mailbox.take()) this.#decide(command);
  }

  #decide(command: LiveCommand): void {
    this.commands.push(command);
    if (command.type === 'EndTierDrain') this.tierTrigger(command.data.tier, 'drain.deadline');
    if (command.type === 'TriggerBreaker' && command.data.generation === this.breaker.generation) {
      this.breakerTrigger(command.data.trigger);
    }
  }

  #commit<T extends 'TierModeChanged' | 'BreakerModeChanged' | 'ConfigChanged'>(type: T, data: EventData[T]): void {
    const revision = this.#revision++;
    const at = Math.max(this.at, this.clock.now());
    this.at = at;
    const metadata = { correlationId: 'c', causationId: 'c', actor: 'test' };
    const event = { id: `e${revision}`, type, schemaVersion: 1, at, data, metadata, stream: 'pool-test', revision };
    this.committed.publish([event as RecordedPoolEvent]);
  }
}
