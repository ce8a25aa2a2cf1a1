import { showSpan } from './output.ts';

interface Progress {
  readonly events: number;
  readonly total: number;
}

/** Says on stderr, at most four times a second, how far it is, how fast, and for how long yet. */
export function progress(): (now: Progress) => void {
  const began = performance.now();
  let said = began;
  return ({ events, total }) => {
    const now = performance.now();
    if (now - said < 250 || !process.stderr.isTTY) return;
    said = now;
    const perSecond = events / ((now - began) / 1000);
    process.stderr.write(
      `\r${events} of ${total} events, ${Math.round(perSecond)}/s, ${showSpan(((total - events) / perSecond) * 1000)} left   `,
    );
  };
}
