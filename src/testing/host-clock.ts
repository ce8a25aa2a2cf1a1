import type { Clock } from '../model/clock.ts';

/** One host's view of a clock: its own wall, and a process that can stand still or die. */
export interface HostClock extends Clock {
  /** The wall jumps; monotonic time and timers do not. */
  jumpWall(deltaMs: number): void;
  /** The wall stands at what it shows now. */
  freezeWall(): void;
  /** The wall goes on from what it shows now. */
  thawWall(): void;
  /** The process stands still: timers that fall due wait for `resume`. */
  stall(): void;
  /** Timers that fell due meanwhile run late, in the order they were due. */
  resume(): void;
  /** The process has died: no timer of it runs any more. */
  kill(): void;
}

export const hostClock = (base: Clock): HostClock => new Host(base);

class Host implements HostClock {
  readonly #base: Clock;
  #offsetMs = 0;
  #frozenAt: number | undefined;
  #stalled = false;
  #dead = false;
  #late: (() => void)[] = [];

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#frozenAt ?? this.#base.now() + this.#offsetMs;
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  schedule(delayMs: number, run: () => void): () => void {
    let cancelled = false;
    const due = () => {
      if (cancelled || this.#dead) return;
      if (this.#stalled) this.#late.push(due);
      else run();
    };
    const cancel = this.#base.schedule(delayMs, due);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  jumpWall(deltaMs: number): void {
    if (this.#frozenAt === undefined) this.#offsetMs += deltaMs;
    else this.#frozenAt += deltaMs;
  }

  freezeWall(): void {
    this.#frozenAt = this.now();
  }

  thawWall(): void {
    if (this.#frozenAt === undefined) return;
    this.#offsetMs = this.#frozenAt - this.#base.now();
    this.#frozenAt = undefined;
  }

  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
    for (const due of this.#late.splice(0)) this.#base.schedule(0, due);
  }

  kill(): void {
    this.#dead = true;
    this.#late = [];
  }
}
