import { inspect } from 'node:util';
import { Commands } from '../../src/manager/callers/commands.ts';
import { Lifecycle } from '../../src/manager/lifecycle.ts';
import { parseConfig } from '../../src/model/config/resolve-config.ts';
import type { HealthMonitor, ResourceDetector } from '../../src/model/interfaces.ts';
import { FaultyStore, type HostClock, hostClock } from '../../src/testing/index.ts';
import { POOL_ID } from './checked-log.ts';
import { Follower } from './follower.ts';
import type { World } from './world.ts';

const GiB = 2 ** 30;

/**
 * One life of one manager: a process with its own clock and its own connection to the log. It ends by `stop` (dispose) or
 * `crash`, after which nothing of it runs or is answered.
 */
export class Member {
  readonly name: string;
  readonly world: World;
  readonly clock: HostClock;
  readonly store: FaultyStore;
  readonly life: Lifecycle;
  readonly follower: Follower;
  verbs: Commands | undefined;
  /** Commands decided, again after a conflict included. */
  decided = 0;
  /** The process stands still. */
  frozen = false;
  /** The connection is stalled. */
  cutOff = false;
  state: 'starting' | 'serving' | 'stopping' | 'stopped' | 'crashed' = 'starting';

  constructor(world: World, name: string, wallOffsetMs: number) {
    const { random, profile } = world;
    this.world = world;
    this.name = name;
    this.clock = hostClock(world.clock);
    this.clock.jumpWall(wallOffsetMs);
    this.store = new FaultyStore(world.log, {
      clock: this.clock,
      serverClock: world.clock,
      random: random.next,
      rates: profile.rates,
      latencyMs: () => (profile.latencyMs === 0 || random.chance(0.3) ? 0 : random.next() * profile.latencyMs),
      slowMs: 600,
      pageEvents: 8,
      overtake: async (stream, last) => world.intrude(stream, last),
      traits: { durable: profile.durable },
      sharesEvents: profile.sharesEvents,
    });
    this.life = this.#begin();
    this.follower = new Follower(this);
    this.life.ready.then(
      ({ core }) => this.#serve(core),
      (error) => this.#failed(error),
    );
  }

  get ended(): boolean {
    return this.state === 'stopped' || this.state === 'crashed';
  }

  /** Callers may turn to it: it is alive, and not told to stop. */
  get reachable(): boolean {
    return this.state === 'serving' && !this.frozen;
  }

  stop(): void {
    this.state = 'stopping';
    void this.life.dispose().then(() => {
      if (this.state === 'crashed') return;
      this.state = 'stopped';
      this.clock.kill();
    });
  }

  crash(): void {
    this.state = 'crashed';
    this.clock.kill();
    this.store.kill();
  }

  freeze(): void {
    this.frozen = true;
    this.clock.stall();
  }

  cutOffStore(): void {
    this.cutOff = true;
    this.store.stall();
  }

  heal(): void {
    if (this.frozen) this.clock.resume();
    if (this.cutOff) this.store.heal();
    this.clock.thawWall();
    this.frozen = false;
    this.cutOff = false;
  }

  #begin(): Lifecycle {
    const { profile, random } = this.world;
    const prefix = this.world.nextPrefix();
    return new Lifecycle(this.#detector(), parseConfig(profile.config), {
      eventStore: this.store,
      poolId: POOL_ID,
      writerId: profile.stableNames ? this.name : `${this.name}:${prefix}`,
      clock: this.clock,
      random: random.next,
      healthMonitor: this.#healthMonitor(),
      tuning: { healthIntervalMs: 20_000, metricsIntervalMs: 0, snapshotEvery: 300, idPrefix: () => prefix },
    });
  }

  #serve(core: NonNullable<Lifecycle['core']>): void {
    const deciding = core.deciding.bind(core);
    core.deciding = (call) => {
      this.decided += 1;
      deciding(call);
    };
    this.verbs = new Commands(core, {} as never);
    if (this.state === 'starting') this.state = 'serving';
  }

  #failed(error: unknown): void {
    if (this.state === 'starting') this.world.violate(`${this.name} did not start: ${inspect(error)}`);
  }

  #detector(): ResourceDetector {
    const { clock, world } = this;
    const resource = (total: number) => ({ total, used: 0, available: total });
    return {
      getCurrentResources: () => ({
        at: clock.now(),
        hostId: 'h',
        source: 'declared',
        containerLimited: false,
        resources: { cpu: resource(world.cpu), memory: resource(64 * GiB) },
      }),
      getAvailability: () => ({
        at: clock.now(),
        stale: false,
        available: { cpu: world.cpu, memory: 64 * GiB },
        constrained: [],
      }),
    };
  }

  #healthMonitor(): HealthMonitor {
    const { clock, world } = this;
    return {
      checkResourceHealth: async () => ({
        healthy: !world.ill,
        at: clock.now(),
        checks: [{ name: 'disk', healthy: !world.ill }],
      }),
      reportResourceMetrics: () => undefined,
      alertResourceIssue: () => undefined,
    };
  }
}
