import type { RecordedPoolEvent } from '../model/events.ts';
import type { Amounts } from '../model/values/amounts.ts';

interface Held {
  readonly leaseId: string;
  readonly name: string;
  readonly token: number;
  readonly amounts: Amounts;
}

/**
 * A second opinion on grants, as naive as can be: two lists, of what is held and of what is in quarantine, and every sum
 * taken anew. It shares no code with the domain.
 */
export class ReferenceModel {
  #held: Held[] = [];
  #quarantined: Held[] = [];
  readonly #granted = new Set<string>();
  #allocatable: Amounts = {};
  /** Dimensions of which more is held than there is, since the capacity fell. */
  readonly #fallen = new Set<string>();
  #maxLeases = 0;
  #lastToken = 0;

  get live(): readonly Held[] {
    return this.#held;
  }

  /** Takes the next event; what is wrong with it, empty = nothing. */
  apply(event: RecordedPoolEvent): string[] {
    return [...this.#take(event), ...this.#judgeFree(event)];
  }

  /** Less than nothing is free only after a fall of capacity, until as much is given back. What is lost goes into quarantine first. */
  #judgeFree({ type }: RecordedPoolEvent): string[] {
    if (type === 'LeaseReclaimed') return [];
    const wrong: string[] = [];
    for (const dimension in this.#allocatable) {
      const free = (this.#allocatable[dimension] ?? 0) - this.sum(dimension);
      if (free >= 0) this.#fallen.delete(dimension);
      else if (type === 'CapacityObserved' || type === 'ConfigChanged') this.#fallen.add(dimension);
      else if (!this.#fallen.has(dimension)) wrong.push(`${dimension}: ${free} is free`);
    }
    return wrong;
  }

  #take(event: RecordedPoolEvent): string[] {
    switch (event.type) {
      case 'ConfigChanged':
        this.#maxLeases = event.data.config.maxPoolSize;
        this.#allocatable = event.data.sized.allocatable;
        return [];
      case 'CapacityObserved':
        this.#allocatable = event.data.sized.allocatable;
        return [];
      case 'LeaseGranted':
        return this.#grant({ ...event.data, name: event.data.request.id });
      case 'LeaseReleased':
      case 'LeaseReclaimed':
        return this.#end(event.data);
      case 'TokenFloorRaised':
        this.#lastToken = event.data.floor;
        return [];
      case 'QuarantineStarted':
        this.#quarantined = [...this.#quarantined, { ...event.data, name: '', token: 0 }];
        return [];
      case 'QuarantineEnded':
        this.#quarantined = this.#quarantined.filter(({ leaseId }) => leaseId !== event.data.leaseId);
        return [];
      default:
        return [];
    }
  }

  /** What is held and kept back of one dimension, added up anew. */
  sum(dimension: string): number {
    let sum = 0;
    for (const { amounts } of this.#held) sum += amounts[dimension] ?? 0;
    for (const { amounts } of this.#quarantined) sum += amounts[dimension] ?? 0;
    return sum;
  }

  #grant({ leaseId, name, token, amounts }: Held): string[] {
    const wrong: string[] = [];
    if (this.#granted.has(leaseId)) wrong.push(`lease ${leaseId} is granted again`);
    this.#granted.add(leaseId);
    if (token <= this.#lastToken) wrong.push(`token ${token} does not rise above ${this.#lastToken}`);
    if (this.#held.some((other) => other.leaseId === leaseId || other.name === name))
      wrong.push(`lease ${leaseId} or its name ${name} is held already`);
    this.#lastToken = token;
    this.#held.push({ leaseId, name, token, amounts });
    if (this.#held.length > this.#maxLeases) wrong.push(`${this.#held.length} leases, allowed are ${this.#maxLeases}`);
    for (const dimension in amounts) {
      const [sum, whole] = [this.sum(dimension), this.#allocatable[dimension] ?? 0];
      if (amounts[dimension] !== 0 && sum > whole) wrong.push(`${dimension}: ${sum} of ${whole} after ${leaseId}`);
    }
    return wrong;
  }

  #end({ leaseId, token }: { leaseId: string; token: number }): string[] {
    const held = this.#held.find((lease) => lease.leaseId === leaseId);
    if (held === undefined) return [`lease ${leaseId} ends, but is not held`];
    this.#held = this.#held.filter((lease) => lease !== held);
    return held.token === token ? [] : [`lease ${leaseId} ends under token ${token}, not ${held.token}`];
  }
}
