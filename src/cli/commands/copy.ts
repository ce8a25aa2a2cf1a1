import type { Command } from 'commander';
import type { Repaired } from '../../transfer/copy-log.ts';
import { CliError, EXIT } from '../exit.ts';
import { wholeFlag } from '../flags.ts';
import { print, printValue, talk } from '../output.ts';
import { pagesProgress, progress } from '../progress.ts';
import type { Globals } from '../session.ts';

interface Flags {
  readonly to: string;
  readonly tokenFloor?: number;
}

export const TOKEN_FLOOR = [
  '--token-floor <n>',
  'give no token up to this one where the pool goes on; default: far above all that are known',
] as const;

/** Copies of an embedded store: of one that runs, and of what is whole of one that is damaged. */
export function addCopy(program: Command): void {
  program
    .command('backup')
    .description('copy a store (--store sqlite:FILE) to a new file, beside its server too, and verify the copy')
    .requiredOption('--to <file>', 'a file that does not exist')
    .option(...TOKEN_FLOOR, wholeFlag)
    .action((flags: Flags, command: Command) => backup(flags, storeOf(command)));
  program
    .command('repair')
    .description(
      'copy what is provably whole of a damaged store (--store sqlite:FILE) to a new file; the store is only read',
    )
    .requiredOption('--to <file>', 'a file that does not exist')
    .option(...TOKEN_FLOOR, wholeFlag)
    .action((flags: Flags, command: Command) => repair(flags, storeOf(command)));
}

function storeOf(command: Command): Globals & { readonly store: string } {
  const globals = command.optsWithGlobals<Globals>();
  if (globals.store !== undefined) return { ...globals, store: globals.store };
  throw new CliError(
    EXIT.usage,
    `${command.name()} reads a store: give it with --store URL (that of \`npm start\`: sqlite:data/pool.db)`,
  );
}

async function backup(
  { to, tokenFloor }: Flags,
  { store, output }: Globals & { readonly store: string },
): Promise<void> {
  const { backupLog } = await import('../../transfer/index.ts');
  const asked = tokenFloor === undefined ? {} : { tokenFloor };
  const done = await backupLog(store, to, { ...asked, onPages: pagesProgress() });
  if (output !== 'table' && output !== 'wide') return printValue({ ...done, file: to }, output);
  print(`${to}: ${done.events} events, verified; the highest token is ${done.lastToken}`);
}

async function repair(
  { to, tokenFloor }: Flags,
  { store, output }: Globals & { readonly store: string },
): Promise<void> {
  const { repairLog } = await import('../../transfer/index.ts');
  const asked = tokenFloor === undefined ? {} : { tokenFloor };
  const done = await repairLog(store, to, { ...asked, onEvents: progress() });
  if (output !== 'table' && output !== 'wide') return printValue({ ...done, file: to }, output);
  show(done, to);
}

function show({ streams, kept, missing, tokens, tokenFloor }: Repaired, to: string): void {
  print(
    `${to}: ${kept} events kept, ${missing === 0 ? 'none is known to be missing' : `at least ${missing} are missing`}`,
  );
  for (const { stream, kept: count, missingFrom, behind } of streams) {
    const gap =
      missingFrom === null
        ? ''
        : `; revision ${missingFrom} is missing, and ${behind} whole events behind it are left out`;
    print(`  ${stream}: revisions 0 to ${count - 1}${gap}`);
  }
  print(
    `  tokens: ${tokens.kept} is the highest that was kept, ${tokens.known} the highest that is known to have been given`,
  );
  print(`  new tokens begin above ${tokenFloor}`);
  talk(`the store is as it was; serve ${to} in its place`);
}
