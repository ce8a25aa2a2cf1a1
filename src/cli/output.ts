import { baseUnitOf } from '../model/values/units.ts';

export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'ndjson';

/** A column of a table: its heading, what stands in it, and whether only `-o wide` shows it. */
export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string;
  readonly wide?: boolean;
}

/** Data goes to stdout in the format that was asked for; a reader that goes away ends the program quietly (see main). */
export async function printRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  format: Format,
): Promise<void> {
  if (format === 'table' || format === 'wide')
    return print(
      table(
        rows,
        columns.filter((column) => format === 'wide' || !column.wide),
      ),
    );
  if (format === 'ndjson') return print(rows.map((row) => JSON.stringify(row)).join('\n'));
  return printValue(rows, format);
}

export async function printValue(value: unknown, format: 'json' | 'yaml' | 'ndjson'): Promise<void> {
  if (format === 'yaml') {
    const { stringify } = await import('yaml');
    return print(stringify(value).trimEnd());
  }
  print(format === 'ndjson' ? JSON.stringify(value) : JSON.stringify(value, null, 2));
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Talk goes to stderr, so that stdout stays data. */
export function talk(text: string): void {
  process.stderr.write(`${text}\n`);
}

function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map((column) => column.heading),
    ...rows.map((row) => columns.map((column) => column.value(row))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const STEPS = ['B', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

/** An amount in base units as a person reads it: 1.5Gi, 250m, 2.5Gbit/s. */
export function showAmount(dimension: string, amount: number): string {
  const unit = baseUnitOf(dimension);
  if (unit === 'bytes') return showBytes(amount);
  if (unit === 'bit/s') return amount >= 1e9 ? `${short(amount / 1e9)}Gbit/s` : `${short(amount / 1e6)}Mbit/s`;
  if (unit === 'millicores') return `${short(amount / 10)}%`;
  return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`;
}

function showBytes(bytes: number): string {
  let step = 0;
  let value = bytes;
  while (value >= 1024 && step < STEPS.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${short(value)}${STEPS[step]}`;
}

const short = (value: number): string => String(Math.round(value * 100) / 100);

export const showAmounts = (amounts: Readonly<Record<string, number>> | null): string =>
  amounts === null
    ? '-'
    : Object.entries(amounts)
        .map(([dimension, amount]) => `${dimension}=${showAmount(dimension, amount)}`)
        .join(' ') || '-';

export const showInstant = (at: number | null): string => (at === null ? '-' : new Date(at).toISOString());

/** A span of ms as a person reads it: 350ms, 12s, 4m10s, 3h05m. */
export function showSpan(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(seconds / 3600)}h${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')}m`;
}

/** A store's URL without the credentials in it. */
export const showUrl = (url: string): string => url.replace(/\/\/[^@/]*@/, '//***@');
