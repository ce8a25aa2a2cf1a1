/**
 * What every part of the benchmark shares: quantiles, and how a part tells its figures. A part is a script of its own: run by
 * hand it prints its figures; run by `main.ts` it also sends them, and they come onto the page of results.
 */

/** What the design allows a figure's median to be. */
export interface Bar {
  readonly is: 'at most' | 'at least' | 'below';
  readonly value: number;
}

/** One line of the results. A ratio has the unit `x` and is of two medians (or p99s) taken in the same run. */
export interface Figure {
  readonly what: string;
  readonly p50: number;
  readonly p99?: number;
  readonly unit: 'ns' | 'us' | 'ms' | 's' | 'k/s' | 'M/s' | 'B' | 'MB' | 'x' | '%' | 'count';
  readonly bar?: Bar;
}

/** What a part sends to `main.ts`. */
export type Message =
  | { readonly figure: Figure }
  | { readonly note: string }
  | { readonly done: number; readonly of: number };

/** The value below which `share` (0..1) of the ascending values lie. */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

export function summary(samples: Iterable<number>): { readonly p50: number; readonly p99: number } {
  const ascending = Float64Array.from(samples).sort();
  return { p50: quantile(ascending, 0.5), p99: quantile(ascending, 0.99) };
}

export const meets = ({ is, value }: Bar, measured: number): boolean =>
  is === 'at least' ? measured >= value : is === 'at most' ? measured <= value : measured < value;

/** Three significant digits, but no digit before the point is lost. */
export const shown = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

export const verdict = ({ bar, p50 }: Figure): string => (bar === undefined ? '' : meets(bar, p50) ? 'met' : 'MISSED');

export const barText = ({ bar, unit }: Figure): string =>
  bar === undefined ? '' : `${bar.is} ${shown(bar.value)} ${unit}`;

const send = (message: Message): void => void process.send?.(message);

export function tell(figure: Figure): void {
  const { what, p50, p99, unit } = figure;
  const tail = p99 === undefined ? '' : `  p99 ${shown(p99)}`;
  console.log(
    `${what.padEnd(60)} ${shown(p50).padStart(8)} ${unit}${tail}  ${barText(figure)} ${verdict(figure)}`.trimEnd(),
  );
  send({ figure });
}

/** A sentence beside the figures: how they were taken, or what was not measured and why. */
export function note(text: string): void {
  console.log(text);
  send({ note: text });
}

/** How far the part has come, for the ETA. */
export const progress = (done: number, of: number): void => send({ done, of });
