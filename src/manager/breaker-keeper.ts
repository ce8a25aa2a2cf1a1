import type { BreakerGate } from '../domain/breaker/breaker.ts';
import { breakerChange } from '../domain/breaker/breaker-change.ts';
import { type BreakerChange, recordAfter } from '../domain/breaker/breaker-record.ts';
import type { Answer } from '../domain/decide/answer.ts';
import { boundTo } from '../domain/decide/repeat.ts';
import { scopeOf } from '../domain/evolve/keys.ts';
import type { PoolState } from '../domain/state.ts';
import type { Batch } from '../engine/batch.ts';
import type { Call } from '../engine/call.ts';
import type { Clock } from '../model/clock.ts';
import type { CommandData } from '../model/commands.ts';
import { PoolError } from '../model/errors.ts';
import type { BoundKey, CommandKey } from '../model/idempotency.ts';
import type { BreakerTrigger, ForceTrigger } from '../model/modes.ts';
import type { Jitter } from '../time/backoff.ts';

export interface BreakerKeeperOptions {
  readonly gate: BreakerGate;
  readonly writerId: string;
  readonly state: PoolState;
  readonly clock: Clock;
  readonly jitter: Jitter;
  /** The change is in force; its event is on its way. */
  readonly changed: (change: BreakerChange) => void;
  /** Records the change, before anything that waits, as soon as the log accepts. */
  readonly record: (data: CommandData['TriggerBreaker'], at: number, by: Hand | undefined) => void;
}

/** Who set a mode by hand, and by which key. */
export interface Hand {
  readonly actor: string;
  readonly key: CommandKey | undefined;
}

const isProbe = (call: Call, answer: Answer): boolean =>
  call.command.type === 'Allocate' && (answer.kind === 'granted' || answer.kind === 'queued') && !answer.replayed;

/**
 * This manager's breaker. A change is in force at once, since the log may be what fails; its event follows when the log accepts
 * again. What opens it: appends that fail or are slow, an overloaded machine, failed health checks. Conflicts are no samples.
 */
export class BreakerKeeper {
  readonly #options: BreakerKeeperOptions;
  /** Of the breaker when the append in flight began. */
  #generation = 0;
  /** Allocates in the append in flight: while half-open each of them is a probe. */
  #probes = 0;
  /** The keys of hands whose changes are in force and not in the log yet, by scope. */
  readonly #unrecorded = new Map<string, BoundKey>();

  constructor(options: BreakerKeeperOptions) {
    this.#options = options;
  }

  /** Takes up what the log says of this writer's breaker. */
  resume(): void {
    const { gate, state, writerId, clock } = this.#options;
    gate.configure(state.config);
    const record = state.breakers.get(writerId);
    if (record !== undefined) gate.apply(record, clock.now());
  }

  appendBegan({ calls, answers }: Batch): void {
    const { gate } = this.#options;
    this.#generation = gate.record.generation;
    if (gate.mode === 'halfOpen') this.#probes = calls.filter((call, i) => isProbe(call, answers[i]!)).length;
  }

  appendEnded(ok: boolean, durationMs: number): void {
    const { gate, clock, state } = this.#options;
    if (ok) for (const scope of this.#unrecorded.keys()) if (state.keys.has(scope)) this.#unrecorded.delete(scope);
    const at = ok ? state.at : clock.now(); // the last event's, which has just been committed
    const halfOpen = gate.mode === 'halfOpen';
    const samples = halfOpen && ok ? this.#probes : 1;
    for (let i = 0; i < samples; i++) gate.sample({ ok, durationMs, at, generation: this.#generation });
    if (!halfOpen && ok && durationMs < state.config.breaker.slowCallMs) return; // a good one raises no rate
    const trigger = gate.judge(at);
    if (trigger !== undefined) this.trigger(trigger, gate.record.generation);
  }

  /** From a sensor: counts only while the breaker is enabled, and for the breaker as it is now. */
  sense(trigger: BreakerTrigger): void {
    if (this.#options.state.config.enableCircuitBreaker) this.trigger(trigger, this.#options.gate.record.generation);
  }

  /**
   * Sets a mode by hand; the same key sets it once. That is decided here and not with the event, which comes after the change
   * and may come much later. True = the key has set it before. Throws IDEMPOTENCY_KEY_REUSED if that was another mode.
   */
  setByHand(trigger: ForceTrigger, by: Hand): boolean {
    if (by.key === undefined) {
      this.#change(trigger, null, by);
      return false;
    }
    const { state, clock } = this.#options;
    const key = { ...by.key, owner: by.actor, verb: 'TriggerBreaker' } as const;
    const scope = scopeOf(key);
    const bound = boundTo(state, key, clock.now()) ?? this.#unrecorded.get(scope);
    if (bound === undefined) {
      if (this.#change(trigger, null, by)) this.#unrecorded.set(scope, key);
      return false;
    }
    if (bound.body === key.body) return true;
    throw new PoolError('IDEMPOTENCY_KEY_REUSED', `the key ${key.key} was used with another body`);
  }

  /** `generation`: of the breaker that the trigger was seen by. */
  trigger(trigger: BreakerTrigger, generation: number | null): void {
    this.#change(trigger, generation, undefined);
  }

  /** True if it changes the mode. */
  #change(trigger: BreakerTrigger, generation: number | null, by: Hand | undefined): boolean {
    const { gate, state, clock, jitter, changed, record } = this.#options;
    const data = { trigger, generation, draw: jitter(), ownGeneration: gate.record.generation };
    const at = Math.max(clock.now(), state.at);
    const change = breakerChange(state.config.breaker, gate.record, data, at);
    const after = change && recordAfter(change);
    if (change === undefined || after === undefined) return false;
    gate.apply(after, at);
    changed(change);
    record(data, at, by);
    return true;
  }
}
