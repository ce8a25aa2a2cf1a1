/** A second signal within this time is the one that npm hands on twice; later it means: now. */
const SECOND_SIGNAL_MS = 1_000;

/** Stops once, cleanly, on SIGINT or SIGTERM; a second signal more than a second later ends at once with 1. */
export function stopOnSignals(talk: (line: string) => void, stop: () => Promise<void>): void {
  let since: number | undefined;
  const onSignal = () => {
    const now = performance.now();
    if (since === undefined) {
      since = now;
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          talk(`poolctl: stop failed: ${error instanceof Error ? error.message : error}`);
          process.exit(1);
        },
      );
    } else if (now - since > SECOND_SIGNAL_MS) process.exit(1);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}
