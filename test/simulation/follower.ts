import { canonicalState } from '../../src/domain/snapshot.ts';
import type { PoolState } from '../../src/domain/state.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { Member } from './member.ts';

/** What readers of one member see, held against the log: events in order, without gap, and none that the log does not hold. */
export class Follower {
  readonly #member: Member;
  #revision: number | undefined;

  constructor(member: Member) {
    this.#member = member;
    member.life.committed.subscribe((batch) => {
      for (const event of batch) this.#see(event);
    });
  }

  #see({ revision, id, type }: RecordedPoolEvent): void {
    const { log } = this.#member.world;
    const wrong = (what: string) => this.#member.world.violate(`${this.#member.name} saw ${type}@${revision} ${what}`);
    if (log.ids[revision] !== id) wrong(`as ${id}; the log holds ${log.ids[revision]}`);
    if (this.#revision !== undefined && revision !== this.#revision + 1) wrong(`after ${this.#revision}`);
    this.#revision = revision;
  }

  /** The live actors stand where the fold does. */
  checkModes(): void {
    const { life, world, name } = this.#member;
    const core = life.running;
    if (core === undefined || core.engine.poison !== undefined) return;
    const live = core.live.modes();
    for (const tier of core.options.readings.state.tiers) {
      const mode = live.tiers.get(tier.name);
      if (mode?.admission !== tier.mode.admission || mode.load !== tier.mode.load)
        world.violate(
          `${name}: the actor of ${tier.name} is ${JSON.stringify(mode)}, the fold ${JSON.stringify(tier.mode)}`,
        );
    }
    if (live.breaker !== core.gate.mode)
      world.violate(`${name}: the breaker's actor is ${live.breaker}, its gate ${core.gate.mode}`);
  }

  /** What it would answer readers is the fold of the log, if it has come to its end; `whole` = every field of it. */
  checkFold(whole: boolean): void {
    const { life, world, name } = this.#member;
    const core = life.core;
    if (core === undefined || core.engine.poison !== undefined) return;
    const folded = world.log.checker.state;
    const same = whole ? sameState : sameCounts;
    const differs = (state: PoolState) => state.revision === folded.revision && !same(state, folded);
    if (differs(core.options.readings.state))
      world.violate(`${name}: the projections differ from the fold of the log at ${folded.revision}`);
    const { state, committedRevision } = core.engine;
    if (committedRevision === state.revision && differs(state))
      world.violate(`${name}: the working state differs from the fold of the log at ${folded.revision}`);
  }
}

const sameState = (one: PoolState, other: PoolState): boolean => canonicalState(one) === canonicalState(other);

const sameCounts = (one: PoolState, other: PoolState): boolean =>
  one.lastToken === other.lastToken &&
  one.leases.size === other.leases.size &&
  one.waiting.size === other.waiting.size &&
  one.keys.size === other.keys.size &&
  one.ended.size === other.ended.size &&
  one.dimensions.every((name) => one.allocated.of(name) === other.allocated.of(name));
