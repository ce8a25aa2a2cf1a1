import type { BreakerConfig, ResolvedConfig } from '../../model/config.ts';
import type { BreakerMode, BreakerTrigger } from '../../model/modes.ts';
import { type Journal, put } from '../ledger/journal.ts';
import type { BreakerRecord } from '../state.ts';
import { BREAKER_CLOSED } from './breaker-change.ts';
import { SampleWindow } from './sample-window.ts';

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

/** What one generation of the breaker may still let through: probes while half-open, and a share of calls on the ramp. */
interface Permits {
  probes: number;
  credit: number;
}

/**
 * The breaker of one manager as it runs: windows, permits and ramp, which no event records. Its mode comes from
 * BreakerModeChanged alone. A permit is taken with the event that uses it, and an undo gives both back. Windows by count and time,
 * failure and slow-call rates with a minimum volume as in resilience4j; half-open lets exactly N probes through; after closing a
 * growing share of allocates is let through.
 */
export class BreakerGate {
  #config: BreakerConfig;
  #enabled: boolean;
  #record: BreakerRecord = BREAKER_CLOSED;
  #samples: SampleWindow;
  /** A new one for each generation, so that an undo of what an earlier one let through changes nothing of this. */
  #permits: Permits = { probes: 0, credit: 0 };
  #probesOk = 0;
  #probeFailed = false;
  /** When the ramp after closing began; null = no ramp. */
  #rampSince: number | null = null;

  constructor(config: ResolvedConfig) {
    this.#config = config.breaker;
    this.#enabled = config.enableCircuitBreaker;
    this.#samples = new SampleWindow(config.breaker.windowCount);
  }

  get mode(): BreakerMode {
    return this.#record.mode;
  }

  get record(): BreakerRecord {
    return this.#record;
  }

  /** A window of another length begins anew. */
  configure(config: ResolvedConfig): void {
    this.#config = config.breaker;
    this.#enabled = config.enableCircuitBreaker;
    if (this.#samples.size !== config.breaker.windowCount) this.#samples = new SampleWindow(config.breaker.windowCount);
  }

  /** Takes over a mode: of a committed event, of a pending one that is in force already, or of the fold at the start. */
  apply(record: BreakerRecord, at: number): void {
    const recovered = this.#record.mode === 'halfOpen' && record.mode === 'closed';
    this.#record = record;
    this.#samples = new SampleWindow(this.#config.windowCount);
    this.#permits = { probes: this.#config.halfOpenProbes, credit: 0 };
    this.#probesOk = 0;
    this.#probeFailed = false;
    this.#rampSince = recovered && this.#config.rampMs > 0 ? at : null;
  }

  /** Whether an allocate may go on to be decided. Asking takes no permit: `take` does, when its event is decided. */
  ask(at: number): Admission {
    if (!this.#enabled) return ADMITTED;
    const { mode, until } = this.#record;
    if (mode === 'closed') return this.#rampSince === null ? ADMITTED : this.#ramp(at, this.#rampSince);
    if (mode === 'disabled' || mode === 'metricsOnly') return ADMITTED;
    if (mode === 'halfOpen' && this.#permits.probes > 0) return ADMITTED;
    return { admitted: false, retryAfterMs: Math.max(100, (until ?? at + this.#config.openMs) - at) };
  }

  /** An allocate that may go on is about to cause an event: it uses a permit, which the journal keeps for an undo. */
  take(journal: Journal | undefined): void {
    const permits = this.#permits;
    if (this.#record.mode === 'halfOpen') put(journal, permits, 'probes', Math.max(0, permits.probes - 1));
    else if (this.#rampSince !== null) put(journal, permits, 'credit', Math.max(0, permits.credit - 1));
  }

  /** Lets the share of calls through that has been reached: from one in ten to all of them. No chance is involved. */
  #ramp(at: number, since: number): Admission {
    const share = Math.max(0.1, (at - since) / this.#config.rampMs);
    if (share >= 1) {
      this.#rampSince = null;
      return ADMITTED;
    }
    const permits = this.#permits;
    permits.credit = Math.min(permits.credit, 1) + share;
    return permits.credit < 1 ? { admitted: false, retryAfterMs: 100 } : ADMITTED;
  }

  sample(sample: Sample): void {
    if (sample.generation !== this.#record.generation) return;
    if (this.#record.mode === 'halfOpen') {
      if (sample.ok && sample.durationMs < this.#config.slowCallMs) this.#probesOk += 1;
      else this.#probeFailed = true;
      return;
    }
    this.#samples.add(sample.ok, sample.durationMs, sample.at);
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
    const { calls, failed, slow } = this.#samples.rates(at - windowMs, slowCallMs);
    if (calls < minimumCalls) return undefined;
    if (failed / calls >= failureRatio) return 'failures.high';
    return slow / calls >= slowRatio ? 'slow.high' : undefined;
  }
}
