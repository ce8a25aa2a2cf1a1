import { Command, Option } from 'commander';
import { addAllocate } from './commands/allocate.ts';
import { addAt } from './commands/at.ts';
import { addCopy } from './commands/copy.ts';
import { addEvents } from './commands/events.ts';
import { addDescribe, addGet } from './commands/get.ts';
import { addLeaseCommands } from './commands/lease.ts';
import { addLogCommands } from './commands/log.ts';
import { addOperate } from './commands/operate.ts';
import { addServe } from './commands/serve.ts';
import { addTransfer } from './commands/transfer.ts';
import { DEFAULT_SERVER } from './session.ts';

/** The whole command line. Each command loads what it needs when it runs, so that `--help` is quick. */
export function buildProgram(): Command {
  const program = new Command('poolctl')
    .description('leases on the capacity of a machine: serve a pool, use it, look into its past')
    .addOption(
      new Option('-o, --output <format>', 'how data is printed')
        .choices(['table', 'wide', 'json', 'yaml', 'ndjson'])
        .default('table'),
    )
    .option('--server <url>', `the server to talk to (RPM_SERVER; default ${DEFAULT_SERVER})`)
    .option('--store <url>', 'read this log instead of a server: sqlite:FILE, esdb://...')
    .option('--pool <id>', 'the pool in that log', 'default')
    .showHelpAfterError('(poolctl --help lists the commands)')
    .exitOverride();
  addServe(program);
  addAllocate(program);
  addLeaseCommands(program);
  addGet(program);
  addDescribe(program);
  addEvents(program);
  addAt(program);
  addLogCommands(program);
  addTransfer(program);
  addCopy(program);
  addOperate(program);
  for (const command of program.commands) command.configureHelp({ showGlobalOptions: true });
  return program;
}
