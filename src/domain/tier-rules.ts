import type { QueueConfig, ResolvedConfig } from '../model/config/config.ts';

/** What the configuration says of who waits in a tier, ready for use; replaced with the configuration. */
export interface TierRules {
  readonly queue: QueueConfig;
  /** The priority classes that it serves; those that no tier lists are the last tier's. */
  readonly serves: ReadonlySet<string>;
  /** How much earlier than its coming a request of the class stands: weight x ageingMs. */
  readonly leadMs: ReadonlyMap<string, number>;
}

export function rulesOf({ tiers, priorities }: ResolvedConfig, name: string): TierRules {
  const { queue, priorities: listed } = tiers.find((tier) => tier.name === name)!;
  const everListed = new Set(tiers.flatMap((tier) => tier.priorities));
  const isLast = tiers.at(-1)!.name === name;
  const unlisted = isLast ? Object.keys(priorities).filter((each) => !everListed.has(each)) : [];
  const leads = Object.entries(priorities).map(([each, weight]): [string, number] => [each, weight * queue.ageingMs]);
  return { queue, serves: new Set([...listed, ...unlisted]), leadMs: new Map(leads) };
}

/** Whether waiters stand in the same order under both. */
export const areSameRanks = ({ leadMs: a }: TierRules, { leadMs: b }: TierRules): boolean =>
  a.size === b.size && [...a].every(([each, lead]) => b.get(each) === lead);
