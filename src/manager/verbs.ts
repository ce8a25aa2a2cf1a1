import type { Answer } from '../domain/answer.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import { leaseView, poolView, requestView, tierView } from '../domain/views.ts';
import type { CommandData, CommandType } from '../model/commands.ts';
import { type ErrorCode, type FieldError, invalid, isPoolError, PoolError } from '../model/errors.ts';
import type { BreakerMode, BreakerTrigger } from '../model/modes.ts';
import { type Refusal, refusalError } from '../model/refusals.ts';
import { mergeConfig } from '../model/resolve-config.ts';
import type { PoolView, RequestView, TierView } from '../model/views.ts';
import { AllocateCall, type Presenter } from './allocate-call.ts';
import { AskedCall } from './call.ts';
import { type Core, configHash } from './core.ts';
import { Lease, type LeaseHome } from './lease.ts';
import { type SpecOptions, specify } from './request-spec.ts';
import type { CallOptions, ConfigView, LeaseAnswer, Submitted } from './service.ts';

export type Tried = { readonly granted: Lease } | { readonly refused: Refusal };
type Told = Exclude<Answer, { kind: 'refused' }>;

/** Who acts when a library caller does not say. */
const CALLER = 'library';

const FORCED: Readonly<Partial<Record<BreakerMode, BreakerTrigger>>> = {
  closed: 'force.closed',
  forcedOpen: 'force.open',
  disabled: 'force.disabled',
  metricsOnly: 'force.metricsOnly',
};

const UNDECIDED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['INVALID_REQUEST', 'OVERLOADED', 'DRAINING']);

/** What callers can ask for, as commands to the engine of a running manager. */
export class Verbs {
  readonly #core: Core;
  readonly forLease: Presenter<Lease>;
  readonly forTry: Presenter<Tried>;
  readonly forSubmit: Presenter<Submitted>;

  constructor(core: Core, home: LeaseHome) {
    this.#core = core;
    this.forLease = {
      granted: (lease) => new Lease(home, lease),
      refused: (refusal) => {
        throw refusalError(refusal);
      },
    };
    this.forTry = {
      granted: (lease) => ({ granted: new Lease(home, lease) }),
      refused: (refused) => ({ refused }),
    };
    this.forSubmit = {
      granted: (lease, replayed) => ({ kind: 'granted', lease: this.#leaseNow(lease), replayed }),
      refused: (refusal) => ({ kind: 'refused', refusal }),
      queued: (request, replayed) => {
        const lease = core.state.leases.get(request.leaseId); // granted by a later command of the same commit
        return lease === undefined
          ? { kind: 'queued', request: requestView(core.state, request), replayed }
          : { kind: 'granted', lease: leaseView(lease), replayed };
      },
    };
  }

  /** Throws INVALID_REQUEST at once. */
  allocate<T>(
    request: unknown,
    presenter: Presenter<T>,
    signal: AbortSignal | undefined,
    actor: string = CALLER,
    options?: SpecOptions,
  ): Promise<T> {
    const { stamp, cache } = this.#core.options;
    const commandId = stamp.nextId();
    const { spec, shape } = specify(request, commandId, cache, options);
    const command = stamp.allocate(commandId, spec, actor);
    const call = new AllocateCall<T>(command, shape, presenter, this.#core, signal);
    if (!call.dropped) this.#core.engine.admit(call);
    return call.promise;
  }

  /** What keeps a request from being decided at all is a refusal, too: it is malformed, too many wait, or the manager closes. */
  async tryAllocate(request: unknown, signal: AbortSignal | undefined): Promise<Tried> {
    try {
      return await this.allocate(request, this.forTry, signal);
    } catch (error) {
      if (!isPoolError(error) || !UNDECIDED.has(error.code)) throw error;
      const { stamp } = this.#core.options;
      const { message, details } = error;
      const base = { code: error.code as Refusal['code'], message, decisionId: stamp.nextId() };
      return { refused: { ...base, revision: this.#core.engine.committedRevision, ...details } };
    }
  }

  release(leaseId: string, token: number, actor: string = CALLER): Promise<void> {
    return this.#ask('Release', { leaseId, token, cause: 'holder' }, actor, nothing);
  }

  releaseLease(leaseId: string, token: number, { actor = CALLER }: CallOptions): Promise<LeaseAnswer> {
    return this.#ask('Release', { leaseId, token, cause: 'holder' }, actor, leaseAnswer);
  }

  renewLease(
    leaseId: string,
    token: number,
    ttlMs: number | undefined,
    { actor = CALLER }: CallOptions,
  ): Promise<LeaseAnswer> {
    if (ttlMs !== undefined) checkMs('ttlMs', ttlMs, 1);
    return this.#ask('Renew', { leaseId, token, ttlMs: ttlMs ?? null }, actor, leaseAnswer);
  }

  revokeLease(
    leaseId: string,
    reason: string | undefined,
    graceMs: number | undefined,
    { actor = CALLER }: CallOptions,
  ): Promise<LeaseAnswer> {
    if (graceMs !== undefined) checkMs('graceMs', graceMs, 0);
    return this.#ask('Revoke', { leaseId, reason: reason ?? null, graceMs: graceMs ?? null }, actor, leaseAnswer);
  }

  /** The request as it stood when it was cancelled. */
  cancelRequest(requestId: string, { actor = CALLER }: CallOptions): Promise<RequestView> {
    const { state } = this.#core;
    return this.#ask('Cancel', { requestId, reason: 'asked' }, actor, (answer) => {
      if (answer.kind !== 'cancelled') throw unexpected(answer);
      return requestView(state, answer.request);
    });
  }

  cordonTier(tier: string, { actor = CALLER }: CallOptions): Promise<TierView> {
    return this.#ask('CordonTier', { tier }, actor, () => this.#tierNow(tier));
  }

  uncordonTier(tier: string, { actor = CALLER }: CallOptions): Promise<TierView> {
    return this.#ask('UncordonTier', { tier }, actor, () => this.#tierNow(tier));
  }

  drainTier(tier: string, deadlineMs: number, { actor = CALLER }: CallOptions): Promise<TierView> {
    checkMs('deadlineMs', deadlineMs, 0);
    return this.#ask('DrainTier', { tier, deadlineMs }, actor, () => this.#tierNow(tier));
  }

  drainPool(deadlineMs: number | null): Promise<void> {
    if (deadlineMs !== null) checkMs('deadlineMs', deadlineMs, 0);
    return this.#ask('DrainPool', { deadlineMs }, CALLER, nothing);
  }

  /** In force at once; recorded as soon as the log accepts. */
  setBreaker(mode: BreakerMode): PoolView['breaker'] {
    const trigger = Object.hasOwn(FORCED, mode) ? FORCED[mode] : undefined;
    if (trigger === undefined) throw invalid([{ path: 'mode', value: mode, allowed: Object.keys(FORCED).join(', ') }]);
    this.#core.breaker.trigger(trigger, null);
    const { mode: now, until } = this.#core.gate.record;
    return { mode: now, until };
  }

  patchConfig(
    patch: unknown,
    expectedRevision: number | undefined,
    { actor = CALLER }: CallOptions,
  ): Promise<ConfigView> {
    const { state } = this.#core;
    const config = mergeConfig(state.config, patch);
    const data = {
      config,
      hash: configHash(config),
      source: 'patch',
      expectedRevision: expectedRevision ?? null,
    } as const;
    return this.#ask('Configure', data, actor, () => configView(state));
  }

  poolNow(): PoolView {
    return poolView(this.#core.state, this.#core.gate.record);
  }

  #ask<T extends CommandType, R>(
    type: T,
    data: CommandData[T],
    actor: string,
    present: (answer: Told) => R,
  ): Promise<R> {
    const call = new AskedCall(this.#core.options.stamp.command(type, data, actor), present);
    this.#core.engine.pass(call);
    return call.promise;
  }

  /** A replayed grant may have ended in the same commit. */
  #leaseNow(lease: LeaseRecord) {
    return leaseView(this.#core.state.ended.get(lease.leaseId) ?? lease);
  }

  #tierNow(name: string): TierView {
    const { state } = this.#core;
    return tierView(state, state.tiers.find((tier) => tier.name === name)!);
  }
}

export const configView = (state: PoolState): ConfigView => ({
  config: state.config,
  hash: state.configHash,
  revision: state.configRevision,
});

const nothing = (): void => undefined;

function leaseAnswer(answer: Told): LeaseAnswer {
  if (answer.kind !== 'lease') throw unexpected(answer);
  return { lease: leaseView(answer.lease), replayed: answer.replayed };
}

const unexpected = (answer: Told): PoolError => new PoolError('INTERNAL', `an unexpected answer: ${answer.kind}`);

const MAX_MS = 366 * 86_400_000;

function checkMs(path: string, value: unknown, min: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= MAX_MS) return;
  const error: FieldError = { path, value, allowed: `whole milliseconds from ${min} to ${MAX_MS}` };
  throw invalid([error]);
}
