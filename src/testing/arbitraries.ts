import type { PoolState } from '../domain/state.ts';
import type { Command, CommandData, CommandType } from '../model/commands.ts';
import type { ResolvedConfig } from '../model/config/config.ts';
import type { CommandKey } from '../model/idempotency.ts';
import type { BreakerTrigger } from '../model/modes.ts';
import { type RequestSpec, requestBody } from '../model/request.ts';
import { canonicalJson } from '../model/values/canonical.ts';

/** Five whole numbers from 0 that a command is made of: what a property test draws, and shrinks. */
export type Choice = readonly [kind: number, a: number, b: number, c: number, d: number];

type Maker = (state: PoolState, choice: Choice) => { [T in CommandType]: [T, CommandData[T]] }[CommandType] | undefined;

const at = <T>(values: Iterable<T>, n: number): T | undefined => {
  const list = [...values];
  return list.length === 0 ? undefined : list[n % list.length];
};
const tierOf = (state: PoolState, n: number): string => at(state.tiers, n)?.name ?? 'none';
const leaseOf = (state: PoolState, n: number) => at(state.leases.values(), n);

/** Small names, so that they collide; amounts from a fraction of the pool to more than all of it. */
function requestFrom(state: PoolState, [, a, b, c, d]: Choice): RequestSpec {
  const some = (part: number, dimension: string) =>
    Math.ceil(((state.capacity[dimension] ?? 0) * (1 + (part % 100) ** 2)) / (part % 50 === 0 ? 9_000 : 40_000));
  const amounts: Record<string, number> = { cpu: some(a, 'cpu'), memory: b % 4 === 0 ? 0 : some(b, 'memory') };
  return {
    id: `t${c % 97}`,
    type: null,
    priority: at(['critical', 'high', 'normal', 'low'], d) ?? null,
    owner: at(['ann', 'bob', 'eve'], a + c) ?? 'ann',
    tier: c % 3 === 0 ? tierOf(state, d) : null,
    requirements: {},
    amounts,
    minimum: b % 5 === 0 ? { cpu: Math.ceil((amounts['cpu'] ?? 0) / 3) } : null,
    labels: null,
    ttlMs: 1_000 + (d % 7) * 1_000,
    waitMs: d % 2 === 0 ? 0 : 100 * (1 + (a % 90)),
    deadline: null,
    idempotencyKey: c % 11 === 0 ? `k${c % 33}` : null,
    detached: d % 13 === 0,
  };
}

const SOME_TRIGGERS: readonly BreakerTrigger[] = ['failures.high', 'openElapsed', 'probes.succeeded', 'force.closed'];

const allocate: Maker = (state, choice) => ['Allocate', { request: requestFrom(state, choice) }];
const release: Maker = (state, [, a, b]) => {
  const lease = leaseOf(state, a);
  const token = (lease?.token ?? 0) + (b % 20 === 0 ? 1 : 0);
  return lease && ['Release', { leaseId: lease.leaseId, token, cause: 'holder' }];
};
const releaseAgain: Maker = (state, [, a]) => {
  const ended = at(state.ended.values(), a);
  return ended && ['Release', { leaseId: ended.lease.leaseId, token: ended.lease.token, cause: 'holder' }];
};
const renew: Maker = (state, [, a, b]) => {
  const lease = leaseOf(state, a);
  return lease && ['Renew', { leaseId: lease.leaseId, token: lease.token, ttlMs: b % 2 === 0 ? null : 500 + b }];
};
const expire: Maker = (state) => [
  'ReclaimExpired',
  {
    leases: [...state.leases.values()]
      .filter((lease) => lease.expiresAt <= state.at)
      .map(({ leaseId, expiresAt }) => ({ leaseId, expiresAt })),
  },
];
const revoke: Maker = (state, [, a, b]) => {
  const lease = leaseOf(state, a);
  return lease && ['Revoke', { leaseId: lease.leaseId, reason: null, graceMs: b % 2 === 0 ? 0 : b }];
};
const cancel: Maker = (state, [, a]) => {
  const waiter = at(state.waiting.values(), a);
  return waiter && ['Cancel', { requestId: waiter.request.id }];
};

const endDrain: Maker = (state, [, a]) => {
  const tier = at(state.tiers, a);
  return tier && ['EndTierDrain', { tier: tier.name, deadlineAt: tier.deadlineAt ?? state.at }];
};
const capacity: Maker = (_, [, a, b]) => {
  const [cpu, memory] = [4_000 + 1_000 * (a % 9), 40_000 + 10_000 * (b % 9)];
  return ['ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu, memory } }];
};
const configure: Maker = ({ config }, [, a, b, c]) => {
  const changed: ResolvedConfig = {
    ...config,
    reserve: `${a % 10}%`,
    quotas: b % 2 === 0 ? {} : { ann: { cpu: `${1 + (b % 40)}%` } },
    leases: { ...config.leases, quarantineMs: c % 3 === 0 ? 500 : 0 },
  };
  return [
    'Configure',
    { config: changed, hash: `${a % 10}/${b % 80}/${c % 3}`, source: 'patch', expectedRevision: null },
  ];
};

/** How often each kind comes, and how it is made; a maker without anything to act on gives nothing. */
const MAKERS: readonly (readonly [number, Maker])[] = [
  [400, allocate],
  [230, release],
  [20, releaseAgain],
  [80, renew],
  [80, expire],
  [20, revoke],
  [20, cancel],
  [
    3,
    (state, [, a]) => {
      const waiter = at(state.waiting.values(), a);
      return waiter && ['CancelOrphans', { leaseIds: [waiter.leaseId], reason: 'writerGone' }];
    },
  ],
  [2, () => ['MarkWriter', { writerId: 'w1' }]],
  [
    30,
    (state) => [
      'EndNoticed',
      {
        leaseIds: [...state.leases.values()]
          .filter((l) => (l.noticeEndsAt ?? state.at + 1) <= state.at)
          .map((l) => l.leaseId),
      },
    ],
  ],
  [
    40,
    (state) => [
      'ExpireRequests',
      { leaseIds: [...state.waiting.values()].filter((w) => w.expiresAt <= state.at).map((w) => w.leaseId) },
    ],
  ],
  [
    30,
    (state) => [
      'EndQuarantine',
      { leaseIds: [...state.quarantine.values()].filter((q) => q.until <= state.at).map((q) => q.leaseId) },
    ],
  ],
  [4, (_, [, a]) => ['ObserveClockGap', { gapMs: 1 + a, afterToken: 0 }]],
  [10, () => ['Sweep', {}]],
  [4, (state, [, a]) => ['CordonTier', { tier: tierOf(state, a) }]],
  [20, (state, [, a]) => ['UncordonTier', { tier: tierOf(state, a) }]],
  [4, (state, [, a, b]) => ['DrainTier', { tier: tierOf(state, a), deadlineMs: b }]],
  [10, endDrain],
  [1, () => ['DrainPool', { deadlineMs: null }]],
  [15, () => ['EndPoolDrain', {}]],
  [
    2,
    (state, [, a, b]) => [
      'RaiseTokenFloor',
      {
        least: b % 2 === 0 ? a : state.lastToken + a,
        known: 0,
        reason: 'copied',
        fileId: b % 5 === 0 ? `f${a % 3}` : null,
      },
    ],
  ],
  [10, capacity],
  [5, configure],
  [2, (_, [, a, b]) => ['StartWriter', { writerId: `w${1 + (a % 2)}`, hostId: 'h', version: `${b}` }]],
  [3, (_, [, a, b]) => ['TriggerBreaker', { trigger: at(SOME_TRIGGERS, a)!, generation: null, draw: (b % 100) / 100 }]],
  [2, (_, [, a]) => ['ObserveHealth', { healthy: a % 2 === 0, failing: a % 2 === 0 ? [] : ['disk'] }]],
];
const WHOLE = MAKERS.reduce((sum, [weight]) => sum + weight, 0);

/** The command that a choice comes to in this state, stamped; undefined if there is nothing it could act on. */
export function commandFor(
  state: PoolState,
  choice: Choice,
  stamp: { commandId: string; at: number },
): Command | undefined {
  let left = choice[0] % WHOLE;
  const [, make] = MAKERS.find(([weight]) => {
    left -= weight;
    return left < 0;
  })!;
  const made = make(state, choice);
  if (made === undefined) return undefined;
  const [type, data] = made;
  const key = keyFor(type, data, choice, stamp.commandId);
  return { ...stamp, actor: 'test', type, data, ...(key !== undefined && { key }) } as Command;
}

/** An allocate has the key that is in its request; of other commands a few have one of a few keys. */
function keyFor(type: CommandType, data: object, [, , , c, d]: Choice, commandId: string): CommandKey | undefined {
  if ('request' in data) {
    const { idempotencyKey } = data.request as RequestSpec;
    const body = canonicalJson(requestBody(data.request as RequestSpec, commandId));
    return idempotencyKey === null ? undefined : { key: idempotencyKey, body };
  }
  return KEYED.has(type) && d % 5 === 0 ? { key: `k${c % 33}`, body: canonicalJson(data) } : undefined;
}

const KEYED: ReadonlySet<CommandType> = new Set<CommandType>([
  'Release',
  'Renew',
  'Revoke',
  'CordonTier',
  'UncordonTier',
  'DrainTier',
]);

/** Numbers in [0, 2^32) that a seed settles (Mulberry32, Tommy Ettinger). */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

export const chooseFrom = (random: () => number): Choice => [
  random(),
  random() % 10_000,
  random() % 10_000,
  random() % 10_000,
  random() % 10_000,
];
