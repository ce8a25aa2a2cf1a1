import type { Answer } from '../../domain/decide/answer.ts';
import type { LeaseRecord, PoolState } from '../../domain/state.ts';
import { leaseView, requestView, tierView } from '../../domain/views.ts';
import { AskedCall } from '../../engine/call.ts';
import type { CommandData, CommandType } from '../../model/commands.ts';
import { changeConfig } from '../../model/config/resolve-config.ts';
import { type ErrorCode, type FieldError, invalid, isPoolError, PoolError } from '../../model/errors.ts';
import { type BreakerMode, FORCE_TRIGGERS, FORCED_MODES, isForcedMode } from '../../model/modes.ts';
import { type Refusal, refusalError } from '../../model/refusals.ts';
import { MAX_SPAN_MS } from '../../model/values/instant.ts';
import { isText, TEXT_ALLOWED } from '../../model/values/text.ts';
import type { PoolView, RequestView, TierView } from '../../model/views.ts';
import { type Core, configHash } from '../core.ts';
import type { CallOptions, ConfigView, LeaseAnswer, Submitted } from '../service.ts';
import { AllocateCall, type Presenter } from './allocate-call.ts';
import { commandKey } from './command-key.ts';
import { Lease, type LeaseHome } from './lease.ts';
import { type SpecOptions, specify } from './request-spec.ts';

export type Tried = { readonly granted: Lease } | { readonly refused: Refusal };
type Told = Exclude<Answer, { kind: 'refused' }>;

/** Who acts when a library caller does not say. */
const CALLER = 'library';

const UNDECIDED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['INVALID_REQUEST', 'OVERLOADED', 'DRAINING']);

/** What callers can ask for, as commands to the engine of a running manager. */
export class Commands {
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
    if (!call.dropped) this.#core.engine.offer(call);
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

  release(leaseId: string, token: number): Promise<void> {
    return this.#ask('Release', { leaseId, token, cause: 'holder' }, NO_OPTIONS, nothing);
  }

  releaseLease(leaseId: string, token: number, options: CallOptions): Promise<LeaseAnswer> {
    return this.#askOfLease('Release', { leaseId, token, cause: 'holder' }, options);
  }

  renewLease(leaseId: string, token: number, ttlMs: number | undefined, options: CallOptions): Promise<LeaseAnswer> {
    if (ttlMs !== undefined) checkMs('ttlMs', ttlMs, 1);
    return this.#askOfLease('Renew', { leaseId, token, ttlMs: ttlMs ?? null }, options);
  }

  revokeLease(
    leaseId: string,
    reason: string | undefined,
    graceMs: number | undefined,
    options: CallOptions,
  ): Promise<LeaseAnswer> {
    if (reason !== undefined && !isText(reason))
      throw invalid([{ path: 'reason', value: reason, allowed: TEXT_ALLOWED }]);
    if (graceMs !== undefined) checkMs('graceMs', graceMs, 0);
    return this.#askOfLease('Revoke', { leaseId, reason: reason ?? null, graceMs: graceMs ?? null }, options);
  }

  /** The request as it stood when it was cancelled. */
  cancelRequest(requestId: string, options: CallOptions): Promise<RequestView> {
    return this.#ask('Cancel', { requestId }, options, (answer) => {
      if (answer.kind !== 'cancelled') throw unexpected(answer);
      return answer.request;
    });
  }

  cordonTier(tier: string, options: CallOptions): Promise<TierView> {
    return this.#ask('CordonTier', { tier }, options, () => this.#tierNow(tier));
  }

  uncordonTier(tier: string, options: CallOptions): Promise<TierView> {
    return this.#ask('UncordonTier', { tier }, options, () => this.#tierNow(tier));
  }

  drainTier(tier: string, deadlineMs: number, options: CallOptions): Promise<TierView> {
    checkMs('deadlineMs', deadlineMs, 0);
    return this.#ask('DrainTier', { tier, deadlineMs }, options, () => this.#tierNow(tier));
  }

  drainPool(deadlineMs: number | null): Promise<void> {
    if (deadlineMs !== null) checkMs('deadlineMs', deadlineMs, 0);
    return this.#ask('DrainPool', { deadlineMs }, NO_OPTIONS, nothing);
  }

  /** In force at once; recorded as soon as the log accepts. */
  setBreaker(mode: BreakerMode, { actor = CALLER, idempotencyKey, onReplayed }: CallOptions): PoolView['breaker'] {
    if (!isForcedMode(mode)) throw invalid([{ path: 'mode', value: mode, allowed: FORCED_MODES.join(', ') }]);
    const key = commandKey(idempotencyKey, { mode });
    if (this.#core.breaker.setByHand(FORCE_TRIGGERS[mode], { actor, key })) onReplayed?.();
    const { mode: now, until } = this.#core.gate.record;
    return { mode: now, until };
  }

  /** Without a revision to stand on, a patch that another change came before is merged again, onto that. */
  async patchConfig(patch: unknown, asked: number | undefined, options: CallOptions): Promise<ConfigView> {
    const body = { patch, expectedRevision: asked ?? null };
    for (let attempt = 1; ; attempt++) {
      const { config: before, configRevision } = this.#core.engine.committed;
      const config = changeConfig(before, patch);
      const expectedRevision = asked ?? configRevision;
      const data = { config, hash: configHash(config), source: 'patch', expectedRevision } as const;
      try {
        return await this.#ask('Configure', data, options, () => configView(this.#core.engine.committed), body);
      } catch (error) {
        const again = asked === undefined && isPoolError(error) && error.code === 'REVISION_MISMATCH';
        if (!again || attempt === MAX_MERGES) throw error;
      }
    }
  }

  #askOfLease<T extends 'Release' | 'Renew' | 'Revoke'>(
    type: T,
    data: CommandData[T],
    options: CallOptions,
  ): Promise<LeaseAnswer> {
    const { ifRevision } = options;
    return this.#ask(type, ifRevision === undefined ? data : { ...data, ifRevision }, options, leaseAnswer, data);
  }

  /** `body`: what two calls with one key must have in common, where that is not the command's data. */
  #ask<T extends CommandType, R>(
    type: T,
    data: CommandData[T],
    { actor = CALLER, idempotencyKey, onReplayed }: CallOptions,
    present: (answer: Told) => R,
    body: unknown = data,
  ): Promise<R> {
    const key = commandKey(idempotencyKey, body);
    const command = this.#core.options.stamp.command(type, data, actor, undefined, key);
    const call = new AskedCall(command, onReplayed === undefined ? present : telling(present, onReplayed));
    this.#core.engine.enqueue(call);
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

const NO_OPTIONS: CallOptions = {};
const nothing = (): void => undefined;

const telling =
  <R>(present: (answer: Told) => R, onReplayed: () => void) =>
  (answer: Told): R => {
    if ('replayed' in answer && answer.replayed) onReplayed();
    return present(answer);
  };

function leaseAnswer(answer: Told): LeaseAnswer {
  if (answer.kind !== 'lease') throw unexpected(answer);
  return { lease: leaseView(answer.lease), replayed: answer.replayed };
}

const unexpected = (answer: Told): PoolError => new PoolError('INTERNAL', `an unexpected answer: ${answer.kind}`);

/** So often a patch is merged anew when others come before it. */
const MAX_MERGES = 20;

function checkMs(path: string, value: unknown, min: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= MAX_SPAN_MS) return;
  const error: FieldError = { path, value, allowed: `whole milliseconds from ${min} to ${MAX_SPAN_MS}` };
  throw invalid([error]);
}
