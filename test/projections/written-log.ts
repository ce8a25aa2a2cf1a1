import { sizePool } from '../../src/domain/sizing.ts';
import { parseConfig } from '../../src/model/config/resolve-config.ts';
import { type EventData, type EventType, type RecordedPoolEvent, SCHEMA_VERSIONS } from '../../src/model/events.ts';
import type { RequestSpec } from '../../src/model/request.ts';
import { bareRequest } from '../support/bare-request.ts';

export const START = Date.UTC(2026, 0, 1);

const CONFIG = parseConfig({ reserve: '0%', tiers: [{ name: 'main', nominal: '100%' }] });
const CAPACITY = { cpu: 1_000_000, memory: 1_048_576_000 };

const request = (id: string, owner: string): RequestSpec =>
  bareRequest({ id, owner, requirements: { cpu: 100, memory: 1 }, amounts: { cpu: 1_000, memory: 1_048_576 } });

/** A log written by hand: a pool with one tier of 1 000 cores, and what a test adds. */
export class WrittenLog {
  readonly events: RecordedPoolEvent[] = [];
  #at = START;
  #token = 0;

  /** `machines`: so many times 1 000 cores. */
  constructor(machines = 1) {
    const capacity = { cpu: CAPACITY.cpu * machines, memory: CAPACITY.memory * machines };
    const sized = sizePool(CONFIG, capacity);
    this.add('PoolOpened', { poolId: 'p', hostId: 'h' });
    this.add('ConfigChanged', { config: CONFIG, hash: 'first', source: 'start', sized: sizePool(CONFIG, {}) });
    this.add('CapacityObserved', { hostId: 'h', source: 'declared', capacity, sized });
  }

  /** Of the last grant; 0 = none. */
  get lastToken(): number {
    return this.#token;
  }

  /** Lets time pass before the next event. */
  later(ms: number): this {
    this.#at += ms;
    return this;
  }

  /** Answers the event's revision. */
  add<T extends EventType>(type: T, data: EventData[T]): number {
    const revision = this.events.length;
    const event = {
      id: `00000000-0000-8000-8000-${String(revision).padStart(12, '0')}`,
      type,
      schemaVersion: SCHEMA_VERSIONS[type],
      at: this.#at,
      data,
      metadata: { correlationId: 'c', causationId: 'c', actor: 'test' },
      stream: 'pool-p',
      revision,
    };
    this.events.push(event as unknown as RecordedPoolEvent);
    return revision;
  }

  /** One core. The token is the number of the grant, and the lease's id is `lease-` and the token. */
  grant(owner = 'ann', waitedMs: number | null = null): number {
    this.#token += 1;
    const spec = request(`task-${this.#token}`, owner);
    return this.add('LeaseGranted', {
      leaseId: `lease-${this.#token}`,
      request: spec,
      priority: 'normal',
      type: 'cpu',
      tier: 'main',
      amounts: spec.amounts,
      borrowed: null,
      token: this.#token,
      ttlMs: 60_000,
      expiresAt: this.#at + 60_000,
      waitedMs,
    });
  }

  queue(leaseId: string, owner = 'ann'): number {
    const data = {
      leaseId,
      request: request(`waits-${leaseId}`, owner),
      priority: 'normal',
      type: 'cpu',
      tier: 'main',
    };
    return this.add('RequestQueued', {
      ...data,
      ttlMs: 60_000,
      expiresAt: this.#at + 60_000,
      writerId: 'w1',
    });
  }

  release(token: number): number {
    return this.add('LeaseReleased', { leaseId: `lease-${token}`, token, cause: 'holder' });
  }

  reclaim(token: number, reason: EventData['LeaseReclaimed']['reason'] = 'expired'): number {
    return this.add('LeaseReclaimed', { leaseId: `lease-${token}`, token, reason, detail: null });
  }

  renew(...tokens: number[]): number {
    const renewals = tokens.map((token) => ({
      leaseId: `lease-${token}`,
      ttlMs: 60_000,
      expiresAt: this.#at + 60_000,
    }));
    return this.add('LeasesRenewed', { renewals, cause: 'holder' });
  }
}
