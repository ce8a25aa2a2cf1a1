/**
 * Measures how long the event loop stood at most, in CPU time of the main thread, so that what else the machine does is not counted.
 * Loaded into a server with `--import`, it answers every SIGUSR2 with a line on stdout: the longest turn since the one before, ms.
 */
export class TurnMeter {
  longestMs = 0;
  #last = 0;
  #next: NodeJS.Immediate | undefined;

  begin(): void {
    this.longestMs = 0;
    this.#last = cpuMs();
    this.#next ??= setImmediate(this.#turn);
  }

  end(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
  }

  readonly #turn = (): void => {
    const nowMs = cpuMs();
    this.longestMs = Math.max(this.longestMs, nowMs - this.#last);
    this.#last = nowMs;
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
  process.on('SIGUSR2', () => {
    process.stdout.write(`longest turn ${meter.longestMs}\n`);
    meter.begin();
  });
}
