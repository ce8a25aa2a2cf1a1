import type { NewEvent } from '../../src/model/events.ts';
import { SCHEMA_VERSIONS } from '../../src/model/events.ts';
import { eventId, poolStream } from '../../src/model/ids.ts';
import { standsAlone } from '../../src/model/request.ts';
import { type FakeClock, type FaultCounts, fakeClock } from '../../src/testing/index.ts';
import { Callers } from './callers.ts';
import { type Call, verdictOn, wrongAtOnce } from './calls.ts';
import { CHAOS, type Chaos, disturb } from './chaos.ts';
import { CheckedLog, POOL_ID } from './checked-log.ts';
import { Member } from './member.ts';
import { drawProfile, type Profile } from './profile.ts';
import { Random } from './random.ts';

const CALLS_PER_STEP = 5;
/** Steps between two comparisons of every field of every state. */
const WHOLE_EVERY = 256;
/** Everything is healed; by then every lease, wait and doubt of a world has run out. */
const QUIET_MS = 300_000;
/** By then a manager has closed. */
const CLOSE_MS = 60_000;

export class Violation extends Error {
  override name = 'Violation';
}

/**
 * One log, its writers, their callers and what befalls them: all of it from one seed. Time passes only between steps, and
 * what is wrong is found after the step that brought it about.
 */
export class World {
  readonly seed: number;
  readonly random: Random;
  readonly profile: Profile;
  readonly clock: FakeClock = fakeClock();
  readonly log = new CheckedLog();
  readonly callers: Callers;
  /** By slot; a slot keeps its name over restarts. */
  readonly members: Member[];
  readonly ended: Member[] = [];
  readonly chaos: Record<Chaos, number> = Object.fromEntries(CHAOS.map((kind) => [kind, 0])) as Record<Chaos, number>;
  /** Millicores that every member detects. */
  cpu = 8_000;
  /** A member died while another served, which then has the pool. */
  takeovers = 0;
  /** What health checks find. */
  ill = false;
  readonly #violations: string[] = [];
  #prefixes = 0;
  #intruders = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Random(seed);
    this.profile = drawProfile(this.random);
    this.callers = new Callers(this);
    this.members = Array.from({ length: this.profile.members }, (_, i) => new Member(this, `w${i + 1}`, 0));
  }

  get decided(): number {
    return [...this.members, ...this.ended].reduce((sum, { decided }) => sum + decided, 0);
  }

  faults(): FaultCounts[] {
    return [...this.members, ...this.ended].map(({ store }) => store.counts);
  }

  violate(what: string): void {
    this.#violations.push(what);
  }

  /** A caller was told how its call ended. */
  told(call: Call): void {
    const wrong = wrongAtOnce(call, this.log);
    if (wrong !== undefined) this.violate(`${call.kind} ${call.actor} ${wrong}`);
  }

  nextPrefix(): string {
    this.#prefixes += 1;
    return this.#prefixes.toString(16).padStart(15, '0');
  }

  /** What a writer that is none of the members appends first. */
  intrude(stream: string, last: number): readonly NewEvent[] | undefined {
    if (stream !== poolStream(POOL_ID) || last < 0) return undefined;
    this.#intruders += 1;
    const id = eventId(`ffffffff-ffff-8fff-8000-${(this.#intruders * 0x10000).toString(16).padStart(12, '0')}`, 1);
    const data = { writerId: 'intruder', hostId: 'h', version: '0' };
    const metadata = { correlationId: id, causationId: id, actor: 'intruder' };
    const { at } = this.log.checker.state;
    return [{ id, type: 'WriterStarted', schemaVersion: SCHEMA_VERSIONS.WriterStarted, at, data, metadata }];
  }

  /** Runs until that many commands were decided, then heals everything and judges how all came out. */
  async run(commands: number): Promise<void> {
    let idle = 0;
    for (let step = 0; this.decided < commands && idle < 10_000; step++) {
      const before = this.decided;
      await this.#step(step);
      idle = this.decided === before ? idle + 1 : 0;
    }
    await this.#quiet();
    await this.#close();
    for (const call of this.callers.past) this.#judge(call);
    for (const call of this.callers.open) this.#judge(call);
    this.#raise();
  }

  restart(slot: number): void {
    const old = this.members[slot]!;
    this.ended.push(old);
    this.members[slot] = new Member(this, old.name, old.clock.now() - this.clock.now());
  }

  async #step(step: number): Promise<void> {
    const { random } = this;
    for (let n = random.below(2 * CALLS_PER_STEP); n > 0; n--) {
      const member = random.pickAny(this.members.filter(({ reachable }) => reachable));
      if (member !== undefined) this.callers.act(member);
    }
    if (random.chance(this.profile.chaos)) disturb(this);
    await this.clock.advanceAsync(this.#passes());
    this.#check(step);
  }

  #passes(): number {
    const { random } = this;
    return random.weighted([
      [60, random.below(5)],
      [30, random.below(200)],
      [9, random.below(3_000)],
      [0.5, random.below(120_000)],
    ]);
  }

  #check(step: number): void {
    for (const { follower } of this.members) {
      follower.checkModes();
      follower.checkFold(step % WHOLE_EVERY === 0);
    }
    this.#checkAnswered((member) => member.state === 'stopped');
    this.#raise();
  }

  /** A manager that has closed, or has had all the time it needs, has answered every call that it took in. */
  #checkAnswered(concerns: (member: Member) => boolean): void {
    for (const { kind, actor, member } of this.callers.open)
      if (member.state !== 'crashed' && concerns(member))
        this.violate(`${kind} ${actor} at ${member.name} (${member.state}) was never answered`);
  }

  #raise(): void {
    const wrong = [...this.log.violations, ...this.#violations];
    if (wrong.length > 0) throw new Violation(wrong.slice(0, 5).join('\n'));
  }

  /** Faults end, and nobody asks any more: what is still open must come to an end by itself. */
  async #quiet(): Promise<void> {
    this.ill = false;
    for (const member of this.members) member.heal();
    await this.clock.advanceAsync(CLOSE_MS);
    for (const [slot, member] of this.members.entries()) if (member.ended) this.restart(slot);
    for (const member of this.members) member.store.setRates({});
    this.callers.abortAll();
    await this.clock.advanceAsync(QUIET_MS);
    this.#check(0);
    await this.#probe();
    this.#checkAnswered(() => true);
    this.#raise();
  }

  /** Every member serves: nothing is held, nobody waits, and a newcomer is let in. */
  async #probe(): Promise<void> {
    const { state } = this.log.checker;
    if (state.leases.size > 0) this.violate(`${state.leases.size} leases never ended`);
    for (const { request, writerId } of state.waiting.values())
      if (!standsAlone(request)) this.violate(`${request.id} of ${writerId} waits for ever`);
  }

  async #close(): Promise<void> {
    for (const member of this.members) if (member.state === 'serving' || member.state === 'starting') member.stop();
    await this.clock.advanceAsync(CLOSE_MS);
    for (const member of this.members) if (!member.ended) this.violate(`${member.name} did not close`);
    this.#raise();
  }

  #judge(call: Call): void {
    const wrong = verdictOn(call, this.log);
    if (wrong !== undefined)
      this.violate(`${call.kind} ${call.actor} was told ${JSON.stringify(call.ending)}: ${wrong}`);
  }
}
