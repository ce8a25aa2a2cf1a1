import type { LeaseRecord, WaitingRecord } from '../../src/domain/state.ts';
import type { Commands } from '../../src/manager/callers/commands.ts';
import type { Refusal } from '../../src/model/refusals.ts';
import { type Call, type CallKind, type Ending, endingOf } from './calls.ts';
import type { Member } from './member.ts';
import type { World } from './world.ts';

interface Held {
  readonly leaseId: string;
  readonly token: number;
}

const presenter = {
  granted: ({ leaseId, token }: LeaseRecord, replayed: boolean): Ending => ({
    kind: 'granted',
    leaseId,
    token,
    replayed,
  }),
  refused: ({ code, decisionId }: Refusal): Ending => ({ kind: 'refused', code, decisionId }),
  queued: ({ leaseId }: WaitingRecord): Ending => ({ kind: 'queued', leaseId }),
};

/** Longer than a world is quiet at its end: only the loss of its caller or its writer ends such a wait. */
const LONG_MS = 3_600_000;
/** How many leases callers remember; older ones are forgotten, and expire. */
const REMEMBERED = 24;

/** Random callers: each call goes to a member that can be reached, and is noted with how it ends. */
export class Callers {
  readonly #world: World;
  readonly #held: Held[] = [];
  readonly #queued: string[] = [];
  readonly #open = new Map<string, Call>();
  #calls = 0;
  readonly endings = new Map<string, number>();
  readonly past: Call[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get open(): Iterable<Call> {
    return this.#open.values();
  }

  get made(): number {
    return this.#calls;
  }

  /** One call, of a random kind. */
  act(member: Member): void {
    const { random } = this.#world;
    const kind = random.weighted<CallKind | 'abort'>([
      [45, 'allocate'],
      [25, 'release'],
      [12, 'renew'],
      [4, 'revoke'],
      [4, 'cancel'],
      [3, 'abort'],
      [1, 'tier'],
      [0.5, 'configure'],
      [0.005, 'drain'],
    ]);
    if (kind === 'abort') this.#abort();
    else this.#call(member, kind);
  }

  #call(member: Member, kind: CallKind): void {
    if (kind === 'allocate') this.allocate(member);
    else if (kind === 'release')
      this.#onLease(member, kind, (verbs, { leaseId, token }, actor) => verbs.releaseLease(leaseId, token, { actor }));
    else if (kind === 'renew') this.#renew(member);
    else if (kind === 'revoke') this.#revoke(member);
    else if (kind === 'cancel') this.#cancel(member);
    else if (kind === 'tier') this.#tier(member);
    else if (kind === 'configure') this.#configure(member);
    else this.#do(member, { kind }, (verbs) => verbs.drainPool(null));
  }

  allocate(member: Member, fields: Record<string, unknown> = this.#request()): Call {
    const { random } = this.#world;
    const stop = random.chance(0.15) ? new AbortController() : undefined;
    const detached = random.chance(0.08);
    const requestId = fields['id'] as string;
    const stands = detached || fields['idempotencyKey'] !== undefined;
    const call = this.#begin(member, { kind: 'allocate', requestId, stands, ...(stop && { stop }) });
    const waitMs = stop !== undefined && random.chance(0.3) ? LONG_MS : undefined;
    this.#settle(call, member.verbs!.allocate(fields, presenter, stop?.signal, call.actor, { detached, waitMs }));
    return call;
  }

  /** Small names, so that they collide; amounts from a fraction of the pool to more than all of it. */
  #request(): Record<string, unknown> {
    const { random, cpu } = this.#world;
    const asked = Math.ceil((cpu / 10) * (random.chance(0.05) ? 1.2 : random.next() ** 2 * 0.4));
    return {
      id: random.chance(0.5) ? `t${random.below(60)}` : `u${this.#calls}`,
      requirements: { cpu: Math.max(1, asked), memory: random.below(20) * 500 },
      priority: random.pick(['critical', 'high', 'normal', 'low']),
      owner: random.pick(['ann', 'bob', 'eve']),
      ttlMs: random.between(300, 20_000),
      waitMs: random.chance(0.5) ? 0 : random.between(50, 15_000),
      ...(random.chance(0.15) && { minimum: { cpu: 1 } }),
      ...(random.chance(0.15) && { idempotencyKey: `k${random.below(40)}` }),
      ...(random.chance(0.05) && { tier: random.pick(['a', 'b', 'c', 'all']) }),
    };
  }

  #renew(member: Member): void {
    const ttlMs = this.#world.random.chance(0.5) ? undefined : this.#world.random.between(300, 20_000);
    this.#onLease(member, 'renew', (verbs, { leaseId, token }, actor) =>
      verbs.renewLease(leaseId, token, ttlMs, { actor }),
    );
  }

  #revoke(member: Member): void {
    const graceMs = this.#world.random.chance(0.5) ? 0 : this.#world.random.below(3_000);
    this.#onLease(member, 'revoke', (verbs, { leaseId }, actor) =>
      verbs.revokeLease(leaseId, undefined, graceMs, { actor }),
    );
  }

  #onLease(
    member: Member,
    kind: CallKind,
    run: (verbs: Commands, held: Held, actor: string) => Promise<{ readonly replayed: boolean }>,
  ): void {
    const { random } = this.#world;
    const held = random.pickAny(this.#held);
    if (held === undefined) return;
    const wrong = random.chance(0.02) ? { ...held, token: held.token + 1 } : held;
    this.#do(member, { kind, leaseId: held.leaseId }, (verbs, actor) => run(verbs, wrong, actor));
  }

  #cancel(member: Member): void {
    const requestId = this.#world.random.pickAny(this.#queued);
    if (requestId === undefined) return;
    this.#do(member, { kind: 'cancel', requestId }, (verbs, actor) => verbs.cancelRequest(requestId, { actor }));
  }

  #tier(member: Member): void {
    const { random, profile } = this.#world;
    const tier = random.pick(profile.config.tiers).name;
    this.#do(member, { kind: 'tier' }, (verbs, actor) => {
      const what = random.below(8);
      if (what === 0) return verbs.cordonTier(tier, { actor });
      return what === 1 ? verbs.drainTier(tier, random.below(4_000), { actor }) : verbs.uncordonTier(tier, { actor });
    });
  }

  #configure(member: Member): void {
    const { random } = this.#world;
    const patch = random.pick([
      { reserve: `${random.below(10)}%` },
      { maxPoolSize: random.between(4, 16) },
      { quotas: random.chance(0.5) ? {} : { ann: { cpu: `${random.between(10, 60)}%` } } },
      { leases: { quarantineMs: random.chance(0.7) ? 0 : 500 } },
      { enableCircuitBreaker: random.chance(0.5) },
    ]);
    this.#do(member, { kind: 'configure' }, (verbs, actor) => verbs.patchConfig(patch, undefined, { actor }));
  }

  /** Everyone who can gives up. */
  abortAll(): void {
    for (const { stop } of [...this.#open.values()]) stop?.abort();
  }

  #abort(): void {
    const waiting = [...this.#open.values()].filter(({ stop }) => stop !== undefined);
    this.#world.random.pickAny(waiting)?.stop?.abort();
  }

  #do(
    member: Member,
    call: Pick<Call, 'kind' | 'leaseId' | 'requestId'>,
    run: (verbs: Commands, actor: string) => Promise<unknown>,
  ): void {
    const begun = this.#begin(member, call);
    const told = (async () => run(member.verbs!, begun.actor))().then((answer): Ending => {
      const replayed = (answer as { replayed?: boolean } | undefined)?.replayed === true;
      return { kind: 'done', replayed };
    });
    this.#settle(begun, told);
  }

  #begin(member: Member, call: Omit<Call, 'actor' | 'member' | 'ending'>): Call {
    this.#calls += 1;
    const begun: Call = { actor: `c${this.#calls}`, member, ending: undefined, ...call };
    this.#open.set(begun.actor, begun);
    return begun;
  }

  #settle(call: Call, told: Promise<Ending>): void {
    told.then(
      (ending) => this.#end(call, ending),
      (error: unknown) => this.#end(call, endingOf(error)),
    );
  }

  #forget(leaseId: string): void {
    const place = this.#held.findIndex((held) => held.leaseId === leaseId);
    if (place >= 0) this.#held.splice(place, 1);
  }

  #end(call: Call, ending: Ending): void {
    call.ending = ending;
    this.#open.delete(call.actor);
    this.past.push(call);
    this.#world.told(call);
    const name = 'code' in ending ? ending.code : ending.kind;
    this.endings.set(name, (this.endings.get(name) ?? 0) + 1);
    if (ending.kind === 'granted') remember(this.#held, ending);
    else if (call.leaseId !== undefined && hasEnded(call, ending) && this.#world.random.chance(0.9))
      this.#forget(call.leaseId);
    if (ending.kind === 'queued') remember(this.#queued, call.requestId!);
  }
}

const hasEnded = ({ kind }: Call, ending: Ending): boolean =>
  (kind === 'release' && ending.kind === 'done') ||
  (ending.kind === 'refused' && (ending.code === 'FENCED' || ending.code === 'NOT_FOUND'));

function remember<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > REMEMBERED) list.shift();
}
