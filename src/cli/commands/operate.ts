import type { Command } from 'commander';
import { FORCED_MODES, isForcedMode } from '../../model/modes.ts';
import { assignPath } from '../config-path.ts';
import { CliError, EXIT } from '../exit.ts';
import { pairFlag, spanFlag } from '../flags.ts';
import { print, printValue } from '../output.ts';
import { type Globals, withClient } from '../session.ts';

/** One line for a person, the whole thing for a program. */
const answer = async (value: unknown, text: string, globals: Globals): Promise<void> =>
  globals.output === 'table' || globals.output === 'wide' ? print(text) : printValue(value, globals.output);

export function addOperate(program: Command): void {
  program
    .command('cordon')
    .description('let a tier admit nothing new')
    .argument('<tier>')
    .action((tier: string, _, command: Command) =>
      withClient(command, async (client, globals) => {
        const view = await client.cordon(tier);
        await answer(view, `tier ${view.name}: ${view.admission}`, globals);
      }),
    );
  program
    .command('uncordon')
    .description('open a tier again')
    .argument('<tier>')
    .action((tier: string, _, command: Command) =>
      withClient(command, async (client, globals) => {
        const view = await client.uncordon(tier);
        await answer(view, `tier ${view.name}: ${view.admission}`, globals);
      }),
    );
  program
    .command('drain')
    .description('empty a tier: admit nothing, and reclaim at the deadline what has not ended by then')
    .argument('<tier>')
    .option('--deadline <span>', 'until what is left is reclaimed', spanFlag, 300_000)
    .action((tier: string, flags: { deadline: number }, command: Command) =>
      withClient(command, async (client, globals) => {
        const view = await client.drainTier(tier, { deadlineMs: flags.deadline });
        await answer(view, `tier ${view.name}: ${view.admission}`, globals);
      }),
    );
  program
    .command('breaker')
    .description('set the circuit breaker by hand')
    .argument('<mode>', FORCED_MODES.join(', '))
    .action((mode: string, _, command: Command) =>
      withClient(command, async (client, globals) => {
        if (!isForcedMode(mode))
          throw new CliError(EXIT.usage, `${mode} is no mode to set; allowed: ${FORCED_MODES.join(', ')}`);
        const view = await client.setBreaker(mode);
        await answer(view, `breaker: ${view.mode}`, globals);
      }),
    );
  program
    .command('config')
    .description('show the configuration in force, or change parts of it')
    .option('--set <path=value>', 'a field to change, such as leases.graceMs=5000; may be repeated', pairFlag)
    .action((flags: { set?: Record<string, string> }, command: Command) =>
      withClient(command, async (client, globals) => {
        let view = await client.getConfig();
        if (flags.set !== undefined) {
          const patch = {};
          for (const [path, text] of Object.entries(flags.set)) assignPath(patch, path, text);
          view = await client.configure(patch, { ifRevision: view.revision });
        }
        await printValue(globals.output === 'table' ? view.config : view, globals.output === 'yaml' ? 'yaml' : 'json');
      }),
    );
}
