import { showSpan } from './output.ts';

/** The same for pages of a file. */
export function pagesProgress(): (done: number, total: number) => void {
  const say = progress('pages');
  return (events, total) => say({ events, total });
}

interface Progress {
  readonly events: number;
  readonly total: number;
}

/** Says on stderr, at most four times a second, how far it is, how fast, and for how long yet. */
export function progress(what = 'events'): (now: Progress) => void {
  const began = performance.now();
  let said = began;
  return ({ events, total }) => {
    const now = performance.now();
    if (now - said < 250 || !process.stderr.isTTY) return;
    said = now;
    const perSecond = events / ((now - began) / 1000);
    process.stderr.write(
      `\r${events} of ${total} ${what}, ${Math.round(perSecond)}/s, ${showSpan(((total - events) / perSecond) * 1000)} left   `,
    );
  };
}
