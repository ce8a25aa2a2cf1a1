import { isPoolError, type PoolError } from '../model/errors.ts';
import { showAmounts, showSpan } from './output.ts';

/** The exit codes of every command. 124 as timeout(1), 125 as env(1): the tool itself gave up. */
export const EXIT = { ok: 0, error: 1, usage: 2, missing: 3, refused: 4, timeout: 124, leaseLost: 125 } as const;

/** A command's failure with the code to exit with. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

const BY_CODE: Partial<Record<PoolError['code'], number>> = {
  INVALID_REQUEST: EXIT.usage,
  INVALID_CONFIG: EXIT.usage,
  NOT_FOUND: EXIT.missing,
  WAIT_EXPIRED: EXIT.timeout,
  LOG_UNAVAILABLE: EXIT.error,
  OUTCOME_UNKNOWN: EXIT.error,
  INTERNAL: EXIT.error,
};

/** The log does not hold what was written to it, or what no program of this version wrote. Known by name over the rooms' borders. */
const DAMAGE: ReadonlySet<string> = new Set(['DamagedLogError', 'UnknownEventError', 'ImpossibleHistory']);

/** What a failure exits with: a refusal is told from an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  if (DAMAGE.has((error as Error | undefined)?.name ?? '')) return EXIT.missing;
  return isPoolError(error) ? (BY_CODE[error.code] ?? EXIT.refused) : EXIT.error;
}

interface RefusalDetails {
  readonly retryAfterMs?: number;
  readonly shortfall?: Readonly<Record<string, number>>;
  readonly ceiling?: Readonly<Record<string, number>>;
}

const adviceFor = ({ name }: Error): string =>
  name === 'DamagedLogError'
    ? '\n  nothing was changed. What is whole can be copied: poolctl --store sqlite:FILE repair --to NEW'
    : '';

/** What a failure says on stderr: for a refusal also what is lacking, the most there could ever be, and when to come again. */
export function messageOf(error: unknown): string {
  if (!isPoolError(error)) return error instanceof Error ? `${error.message}${adviceFor(error)}` : String(error);
  const { retryAfterMs, shortfall, ceiling } = error.details as RefusalDetails;
  const lines = [`${error.code}: ${error.message}`];
  if (shortfall !== undefined) lines.push(`  short of: ${showAmounts(shortfall)}`);
  if (ceiling !== undefined) lines.push(`  at most: ${showAmounts(ceiling)}`);
  if (retryAfterMs !== undefined) lines.push(`  retry after: ${showSpan(retryAfterMs)}`);
  return lines.join('\n');
}
