import type { Command } from 'commander';
import type { LogReader } from '../../manager/log-reader.ts';
import { CliError, EXIT } from '../exit.ts';
import { wholeFlag } from '../flags.ts';
import { print, printValue } from '../output.ts';
import { progress } from '../progress.ts';
import type { Globals } from '../session.ts';

/** Runs `work` on a log that is opened read-only: what needs the whole of it is not asked of a server. */
async function withLog(command: Command, work: (log: LogReader, globals: Globals) => Promise<void>): Promise<void> {
  const globals = command.optsWithGlobals<Globals>();
  if (globals.store === undefined)
    throw new CliError(
      EXIT.usage,
      `${command.name()} reads a log: give it with --store URL (for a server's own: sqlite:data/pool.db)`,
    );
  const { openLogReader } = await import('../../manager/log-reader.ts');
  const log = await openLogReader(globals.store, globals.pool);
  try {
    await work(log, globals);
  } finally {
    await log.close();
  }
}

export function addLogCommands(program: Command): void {
  program
    .command('replay')
    .description('fold the log from its beginning: rate, and the SHA-256 of the state')
    .option('--to <revision>', 'up to this one, inclusive', wholeFlag)
    .option('--verify', 'twice, and compare')
    .action((flags: { to?: number; verify?: boolean }, command: Command) =>
      withLog(command, async (log, globals) => {
        const began = performance.now();
        const replayed = await log.replay({ ...flags, onProgress: progress() });
        const seconds = (performance.now() - began) / 1000;
        const perSecond = Math.round((replayed.events * (flags.verify ? 2 : 1)) / seconds);
        if (globals.output !== 'table' && globals.output !== 'wide')
          return printValue(
            { ...replayed, eventsPerSecond: perSecond, verified: flags.verify ?? false },
            globals.output,
          );
        print(
          `revision ${replayed.revision}: ${replayed.events} events in ${seconds.toFixed(2)} s, ${perSecond} events/s${flags.verify ? ', twice the same' : ''}`,
        );
        print(`sha256 ${replayed.sha256}`);
      }),
    );
  program
    .command('check')
    .description('verify a store: every event of the pool is there, whole, and can be folded')
    .action((_: unknown, command: Command) =>
      withLog(command, async (log) => {
        try {
          const { events, refusals } = await log.check(progress());
          print(`ok: ${events} events, ${refusals} refusals`);
        } catch (error) {
          throw new CliError(EXIT.missing, `damaged: ${error instanceof Error ? error.message : error}`);
        }
      }),
    );
}
