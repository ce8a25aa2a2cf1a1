import type { Command } from 'commander';
import type { Moment } from '../../manager/service.ts';
import { parseInstant } from '../../model/values/instant.ts';
import { CliError, EXIT } from '../exit.ts';
import { withReader } from '../session.ts';
import { showPool } from './get.ts';

/** A whole number is a revision, unless it is far larger than any log: then it is Unix ms. Else an RFC 3339 date-time. */
function momentOf(text: string): Moment {
  if (/^\d{1,11}$/.test(text)) return { revision: Number(text) };
  const at = parseInstant(text);
  if (at !== undefined) return { at };
  throw new CliError(EXIT.usage, `${text} is no moment; allowed: a revision, Unix ms, or an RFC 3339 date-time`);
}

export function addAt(program: Command): void {
  program
    .command('at')
    .description('the pool as it was at a revision (inclusive) or at a time')
    .argument('<revision|time>')
    .action((text: string, _, command: Command) =>
      withReader(command, async (reader, globals) => showPool(await reader.getPool(momentOf(text)), globals)),
    );
}
