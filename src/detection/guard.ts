import type { ResourceAvailability, ResourceDetector, SystemResources } from '../model/interfaces.ts';
import { type Alert, LastGood, type Settled } from './last-good.ts';

export interface GuardOptions {
  /** A sample whose `at` is older than this counts as failed. */
  readonly staleAfterMs: number;
  readonly onAlert: Alert;
  readonly now: () => number;
}

/**
 * Any detector, also a user's own, made safe to build on: what it throws, or gives that cannot be true, or gives too late,
 * leaves the last good amounts standing with `stale: true`, and raises one alert. Only a detector that has never given a
 * good sample throws: there is no capacity to stand on then.
 */
export function guardDetector(detector: ResourceDetector, options: GuardOptions): ResourceDetector {
  return new GuardedDetector(detector, options);
}

class GuardedDetector implements ResourceDetector {
  readonly #detector: ResourceDetector;
  readonly #options: GuardOptions;
  readonly #lastGood: LastGood;
  #last: SystemResources | undefined;
  #unreadable: Settled['unreadable'] = {};

  constructor(detector: ResourceDetector, options: GuardOptions) {
    this.#detector = detector;
    this.#options = options;
    this.#lastGood = new LastGood(options.onAlert);
  }

  getCurrentResources(): SystemResources {
    const now = this.#options.now();
    try {
      const sample = this.#fresh(now);
      const { resources, unreadable } = this.#lastGood.settle({ ...sample.resources, ...errorsOf(sample) }, now);
      this.#unreadable = unreadable;
      if (Object.keys(resources).length === 0) throw new Error(nothing(unreadable));
      this.#last = { ...sample, resources, unreadable };
    } catch (error) {
      this.#standOnLast(error instanceof Error ? error : new Error(String(error)), now);
    }
    return this.#last!;
  }

  getAvailability(): ResourceAvailability {
    const { at, resources } = this.getCurrentResources();
    const available = Object.fromEntries(Object.entries(resources).map(([name, use]) => [name, use.available]));
    const own = this.#ownAvailability();
    return {
      at,
      stale: Object.keys(this.#unreadable).length > 0 || own === undefined || own.stale,
      available,
      constrained: own?.constrained ?? [],
    };
  }

  #fresh(now: number): SystemResources {
    const sample = this.#detector.getCurrentResources();
    if (typeof sample?.resources !== 'object' || sample.resources === null)
      throw new TypeError('the sample has no resources');
    if (!(now - sample.at <= this.#options.staleAfterMs))
      throw new RangeError(`at: ${sample.at} is older than ${this.#options.staleAfterMs} ms`);
    return sample;
  }

  #standOnLast(error: Error, now: number): void {
    if (this.#last === undefined) throw error;
    this.#unreadable = this.#lastGood.settleFailure(error, now).unreadable;
    this.#last = { ...this.#last, unreadable: this.#unreadable };
  }

  /** Amounts are the sample's own, so that the two getters never disagree; only the judgement is asked for. */
  #ownAvailability(): ResourceAvailability | undefined {
    try {
      return this.#detector.getAvailability();
    } catch {
      return undefined;
    }
  }
}

/** What a detector says itself that it could not read counts as a failed look, whatever it answers in its place. */
const errorsOf = ({ unreadable = {} }: SystemResources): Readonly<Record<string, Error>> =>
  Object.fromEntries(Object.entries(unreadable).map(([dimension, why]) => [dimension, new Error(why)]));

function nothing(unreadable: Settled['unreadable']): string {
  const whys = Object.entries(unreadable).map(([dimension, why]) => `${dimension}: ${why}`);
  return ['the detector gave no dimension that can be used', ...whys].join('; ');
}
