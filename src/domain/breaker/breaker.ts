import type { BreakerConfig, ResolvedConfig } from '../../model/config/config.ts';
import type { BreakerMode, BreakerTrigger } from '../../model/modes.ts';
import { type Journal, put } from '../ledger/journal.ts';
import { BREAKER_CLOSED, type BreakerRecord } from './breaker-record.ts';
import { type Admission, ask, type BreakerState, entered, judge, shareOf } from './breaker-state.ts';
import { SampleWindow } from './sample-window.ts';

/** The outcome of one append, or of one probe. A version conflict, a refusal and a cancellation are no outcomes. */
export interface Sample {
  readonly ok: boolean;
  readonly durationMs: number;
  readonly at: number;
  /** Of the breaker when the call began: results of an earlier generation are ignored. */
  readonly generation: number;
}

const OFF: Admission = { admitted: true };

/**
 * The breaker of one manager as it runs: windows, permits and ramp, which no event records. Its mode comes from
 * BreakerModeChanged alone. A permit is taken with the event that uses it, and an undo gives it back. Windows by count and time,
 * failure and slow-call rates with a minimum volume as in resilience4j; half-open lets exactly N probes through; after closing a
 * growing share of allocates is let through.
 */
export class BreakerGate {
  #config: BreakerConfig;
  #enabled: boolean;
  /** Its permits and its ramp are new objects in each generation, so that an undo of what an earlier one let through changes nothing. */
  #state: BreakerState;

  constructor(config: ResolvedConfig) {
    this.#config = config.breaker;
    this.#enabled = config.enableCircuitBreaker;
    this.#state = entered(BREAKER_CLOSED, undefined, config.breaker, 0);
  }

  get mode(): BreakerMode {
    return this.#state.mode;
  }

  get record(): BreakerRecord {
    return this.#state;
  }

  /** A window of another length begins anew; probes and a ramp that have begun go on as they began. */
  configure(config: ResolvedConfig): void {
    this.#config = config.breaker;
    this.#enabled = config.enableCircuitBreaker;
    const state = this.#state;
    if (state.mode === 'closed' && state.samples.size !== config.breaker.windowCount)
      this.#state = { ...state, samples: new SampleWindow(config.breaker.windowCount) };
  }

  /** Takes over a mode: of a committed event, of a pending one that is in force already, or of the fold at the start. */
  apply(record: BreakerRecord, at: number): void {
    this.#state = entered(record, this.#state, this.#config, at);
  }

  /** Whether an allocate may go on to be decided. It changes nothing: `take` and `turnAway` say what came of it. */
  ask(at: number): Admission {
    return this.#enabled ? ask(this.#state, this.#config, at) : OFF;
  }

  /** An allocate that may go on is about to cause an event: it uses a permit, which the journal keeps for an undo. */
  take(journal: Journal | undefined, at: number): void {
    const state = this.#state;
    if (state.mode === 'halfOpen') put(journal, state, 'permits', Math.max(0, state.permits - 1));
    if (state.mode !== 'closed' || state.ramp === undefined) return;
    const { ramp } = state;
    const share = shareOf(ramp, at);
    if (share < 1) put(journal, ramp, 'credit', Math.max(0, ramp.credit + share - 1));
  }

  /** An allocate was not let go on: on a ramp its share counts for those that come after it. */
  turnAway(at: number): void {
    const state = this.#state;
    if (state.mode === 'closed' && state.ramp !== undefined) state.ramp.credit += shareOf(state.ramp, at);
  }

  sample({ ok, durationMs, at, generation }: Sample): void {
    const state = this.#state;
    if (generation !== state.generation) return;
    if (state.mode === 'closed') state.samples.add(ok, durationMs, at);
    if (state.mode !== 'halfOpen') return;
    if (ok && durationMs < this.#config.slowCallMs) state.succeeded += 1;
    else state.failed = true;
  }

  /** What the samples say should happen to the breaker; undefined = nothing. */
  judge(at: number): BreakerTrigger | undefined {
    return this.#enabled ? judge(this.#state, this.#config, at) : undefined;
  }
}
