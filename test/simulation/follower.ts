import { canonicalState } from '../../src/domain/snapshot.ts';
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

  /** What it would answer readers is the fold of the log, if it has come to its end. */
  checkFold(): void {
    const { life, world, name } = this.#member;
    const core = life.core;
    if (core === undefined || core.engine.poison !== undefined) return;
    const { readings } = core.options;
    const folded = world.log.checker.state;
    if (readings.state.revision !== folded.revision) return;
    if (canonicalState(readings.state) !== canonicalState(folded))
      world.violate(`${name}: the projections differ from the fold of the log at ${folded.revision}`);
    if (core.engine.state.revision === folded.revision && canonicalState(core.engine.state) !== canonicalState(folded))
      world.violate(`${name}: the working state differs from the fold of the log at ${folded.revision}`);
  }
}
