import type { Command } from 'commander';
import type { LeaseView } from '../../model/views.ts';
import { spanFlag, wholeFlag } from '../flags.ts';
import { print, printValue, showAmounts, showInstant } from '../output.ts';
import { type Globals, withClient } from '../session.ts';

export async function showLease(lease: LeaseView, globals: Globals): Promise<void> {
  if (globals.output === 'json' || globals.output === 'yaml' || globals.output === 'ndjson')
    return printValue(lease, globals.output);
  print(`lease ${lease.id} token ${lease.token}: ${lease.state}${lease.reason === null ? '' : ` (${lease.reason})`}`);
  print(`  request ${lease.requestId}, tier ${lease.tier}, ${showAmounts(lease.amounts)}`);
  if (lease.state === 'active') print(`  expires ${showInstant(lease.expiresAt)}`);
}

export function addLeaseCommands(program: Command): void {
  program
    .command('release')
    .description('give a lease back')
    .argument('<lease>')
    .requiredOption('--token <n>', 'the fencing token of the lease', wholeFlag)
    .action((id: string, flags: { token: number }, command: Command) =>
      withClient(command, async (client, globals) =>
        showLease(await client.release({ id, token: flags.token }), globals),
      ),
    );
  program
    .command('renew')
    .description('start the TTL of a lease anew')
    .argument('<lease>')
    .requiredOption('--token <n>', 'the fencing token of the lease', wholeFlag)
    .option('--ttl <span>', 'the new TTL', spanFlag)
    .action((id: string, flags: { token: number; ttl?: number }, command: Command) =>
      withClient(command, async (client, globals) =>
        showLease(
          await client.renew({ id, token: flags.token }, flags.ttl === undefined ? {} : { ttlMs: flags.ttl }),
          globals,
        ),
      ),
    );
  program
    .command('revoke')
    .description('take a lease back: notice, grace, reclaim')
    .argument('<lease>')
    .option('--reason <text>')
    .option('--grace <span>', 'until it is reclaimed', spanFlag)
    .action((id: string, flags: { reason?: string; grace?: number }, command: Command) =>
      withClient(command, async (client, globals) =>
        showLease(
          await client.revoke(id, {
            ...(flags.reason === undefined ? {} : { reason: flags.reason }),
            ...(flags.grace === undefined ? {} : { graceMs: flags.grace }),
          }),
          globals,
        ),
      ),
    );
}
