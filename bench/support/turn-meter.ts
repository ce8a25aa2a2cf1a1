import { PerformanceObserver } from 'node:perf_hooks';

/** A turn of the loop, and how much of it was garbage collection by the clock on the wall; ms. */
export interface Turn {
  readonly tookMs: number;
  readonly gcMs: number;
}

interface Span {
  readonly beganMs: number;
  readonly endedMs: number;
}

/**
 * Measures how long the event loop stood at most: the lesser of the time on the wall, in which what else the machine does is counted,
 * and of the CPU time of the main thread, which goes on with the kernel's tick only, 4 ms as a rule. (The loop never rests meanwhile.)
 * Loaded into a server with `--import`, it answers every SIGUSR2 with a line on stdout: the longest turn since the one before.
 */
export class TurnMeter {
  #longest = { tookMs: 0, beganMs: 0, endedMs: 0 };
  #lastMs = 0;
  #lastCpuMs = 0;
  #next: NodeJS.Immediate | undefined;
  #collections: Span[] = [];
  readonly #observer = new PerformanceObserver((seen) => {
    for (const { startTime, duration } of seen.getEntries())
      this.#collections.push({ beganMs: startTime, endedMs: startTime + duration });
  });

  begin(): void {
    this.#longest = { tookMs: 0, beganMs: 0, endedMs: 0 };
    this.#collections = [];
    this.#lastMs = performance.now();
    this.#lastCpuMs = cpuMs();
    if (this.#next !== undefined) return;
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#next = setImmediate(this.#turn);
  }

  /** The longest turn since it began. */
  async longest(): Promise<Turn> {
    const { beganMs, endedMs, tookMs } = this.#longest;
    await new Promise((resolve) => setTimeout(resolve, 1)); // until what was collected has been told
    const gcMs = this.#collections.reduce(
      (sum, span) => sum + Math.max(0, Math.min(span.endedMs, endedMs) - Math.max(span.beganMs, beganMs)),
      0,
    );
    return { tookMs, gcMs: Math.min(tookMs, gcMs) };
  }

  end(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
    this.#observer.disconnect();
  }

  readonly #turn = (): void => {
    const [nowMs, nowCpuMs] = [performance.now(), cpuMs()];
    const tookMs = Math.min(nowMs - this.#lastMs, nowCpuMs - this.#lastCpuMs);
    if (tookMs > this.#longest.tookMs) this.#longest = { tookMs, beganMs: this.#lastMs, endedMs: nowMs };
    [this.#lastMs, this.#lastCpuMs] = [nowMs, nowCpuMs];
    this.#next = setImmediate(this.#turn);
  };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

if (process.env['TURN_METER'] === 'on') {
  const meter = new TurnMeter();
  meter.begin();
  process.on('SIGUSR2', async () => {
    const { tookMs, gcMs } = await meter.longest();
    process.stdout.write(`longest turn ${tookMs} ${gcMs}\n`);
    meter.begin();
  });
}
