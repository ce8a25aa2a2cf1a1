import type { BreakerConfig, ResolvedConfig } from '../model/config.ts';
import type { BreakerMode, BreakerTrigger } from '../model/modes.ts';
import { BREAKER_CLOSED } from './breaker-change.ts';
import type { BreakerRecord } from './state.ts';

/** The outcome of one append, or of one probe. A version conflict, a refusal and a cancellation are no outcomes. */
export interface Sample {
  readonly ok: boolean;
  readonly durationMs: number;
  readonly at: number;
  /** Of the breaker when the call began: results of an earlier generation are ignored. */
  readonly generation: number;
}

export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly retryAfterMs: number };

const ADMITTED: Admission = { admitted: true };

/**
 * The breaker of one manager as it runs: windows, probes and ramp, which no event records. Its mode comes from
 * BreakerModeChanged alone. Windows by count and time, failure and slow-call rates with a minimum volume as in
 * resilience4j; half-open lets exactly N probes through; after closing a growing share of allocates is let through.
 */
export class BreakerGate {
  #config: BreakerConfig;
  #enabled: boolean;
  #record: BreakerRecord = BREAKER_CLOSED;
  #samples: Sample[] = [];
  #probesLeft = 0;
  #probesOk = 0;
  #probeFailed = false;
  /** When the ramp after closing began; null = no ramp. */
  #rampSince: number | null = null;
  #credit = 0;

  constructor(config: ResolvedConfig) {
    this.#config = config.breaker;
    this.#enabled = config.enableCircuitBreaker;
  }

  get mode(): BreakerMode {
    return this.#record.mode;
  }

  get record(): BreakerRecord {
    return this.#record;
  }

  configure(config: ResolvedConfig): void {
    this.#config = config.breaker;
    this.#enabled = config.enableCircuitBreaker;
  }

  /** Takes over a mode: of a committed event, of a pending one that is in force already, or of the fold at the start. */
  apply(record: BreakerRecord, at: number): void {
    const recovered = this.#record.mode === 'halfOpen' && record.mode === 'closed';
    this.#record = record;
    this.#samples = [];
    this.#probesLeft = this.#config.halfOpenProbes;
    this.#probesOk = 0;
    this.#probeFailed = false;
    this.#rampSince = recovered && this.#config.rampMs > 0 ? at : null;
    this.#credit = 0;
  }

  /** Whether an allocate may go on to be decided. Asking takes a permit while half-open. */
  admit(at: number): Admission {
    if (!this.#enabled) return ADMITTED;
    const { mode, until } = this.#record;
    if (mode === 'closed') return this.#rampSince === null ? ADMITTED : this.#ramp(at, this.#rampSince);
    if (mode === 'disabled' || mode === 'metricsOnly') return ADMITTED;
    if (mode === 'halfOpen' && this.#probesLeft > 0) {
      this.#probesLeft -= 1;
      return ADMITTED;
    }
    return { admitted: false, retryAfterMs: Math.max(100, (until ?? at + this.#config.openMs) - at) };
  }

  /** A probe that ended without an outcome (no room, or decided anew) leaves its permit to another. */
  giveBack(): void {
    if (this.#record.mode === 'halfOpen' && this.#probesLeft < this.#config.halfOpenProbes) this.#probesLeft += 1;
  }

  /** Lets the share of calls through that has been reached: from one in ten to all of them. No chance is involved. */
  #ramp(at: number, since: number): Admission {
    const share = Math.max(0.1, (at - since) / this.#config.rampMs);
    if (share >= 1) {
      this.#rampSince = null;
      return ADMITTED;
    }
    this.#credit += share;
    if (this.#credit < 1) return { admitted: false, retryAfterMs: 100 };
    this.#credit -= 1;
    return ADMITTED;
  }

  sample(sample: Sample): void {
    if (sample.generation !== this.#record.generation) return;
    if (this.#record.mode === 'halfOpen') {
      if (sample.ok && sample.durationMs < this.#config.slowCallMs) this.#probesOk += 1;
      else this.#probeFailed = true;
      return;
    }
    this.#samples.push(sample);
    if (this.#samples.length > this.#config.windowCount) this.#samples.shift();
  }

  /** What the samples say should happen to the breaker; undefined = nothing. */
  judge(at: number): BreakerTrigger | undefined {
    if (!this.#enabled) return undefined;
    if (this.#record.mode === 'halfOpen') {
      if (this.#probeFailed) return 'probe.failed';
      return this.#probesOk >= this.#config.halfOpenProbes ? 'probes.succeeded' : undefined;
    }
    return this.#record.mode === 'closed' ? this.#rates(at) : undefined;
  }

  #rates(at: number): BreakerTrigger | undefined {
    const { windowMs, minimumCalls, failureRatio, slowRatio, slowCallMs } = this.#config;
    const recent = this.#samples.filter((sample) => at - sample.at <= windowMs);
    if (recent.length < minimumCalls) return undefined;
    if (recent.filter((sample) => !sample.ok).length / recent.length >= failureRatio) return 'failures.high';
    return recent.filter((sample) => sample.durationMs >= slowCallMs).length / recent.length >= slowRatio
      ? 'slow.high'
      : undefined;
  }
}
