import type { Command } from 'commander';
import type { AllocationRequest } from '../../model/request.ts';
import { amountFlag, pairFlag, requireFlag, spanFlag } from '../flags.ts';
import { withClient } from '../session.ts';
import { showLease } from './lease.ts';
import { runUnderLease } from './run-under-lease.ts';

interface Flags {
  readonly memory?: number | string;
  readonly cpu?: number | string;
  readonly gpu?: number | string;
  readonly disk?: number | string;
  readonly network?: number | string;
  readonly require?: Record<string, number | string>;
  readonly label?: Record<string, string>;
  readonly id?: string;
  readonly type?: string;
  readonly priority?: string;
  readonly owner?: string;
  readonly tier?: string;
  readonly ttl?: number;
  readonly wait?: number;
  readonly deadline?: string;
  readonly idempotencyKey?: string;
}

const DIMENSIONS = ['memory', 'cpu', 'gpu', 'disk', 'network'] as const;
const SAME = ['id', 'type', 'priority', 'owner', 'tier', 'deadline', 'idempotencyKey'] as const;

function requestOf(flags: Flags): AllocationRequest {
  const requirements: Record<string, number | string> = { ...flags.require };
  for (const name of DIMENSIONS) if (flags[name] !== undefined) requirements[name] = flags[name];
  const request: Record<string, unknown> = { requirements };
  for (const name of SAME) if (flags[name] !== undefined) request[name] = flags[name];
  if (flags.ttl !== undefined) request['ttlMs'] = flags.ttl;
  if (flags.wait !== undefined) request['waitMs'] = flags.wait;
  if (flags.label !== undefined) request['labels'] = flags.label;
  return request as unknown as AllocationRequest;
}

export function addAllocate(program: Command): void {
  program
    .command('allocate')
    .description('lease capacity; with -- CMD, run CMD under the lease and exit with its code')
    .option('--memory <amount>', 'MiB, or with a unit: 1.5Gi', amountFlag('memory'))
    .option('--cpu <amount>', 'percent of one core, or with a unit: 50%, 250m', amountFlag('cpu'))
    .option('--gpu <amount>', 'units, or with a unit: 500m', amountFlag('gpu'))
    .option('--disk <amount>', 'MiB, or with a unit: 10Gi', amountFlag('disk'))
    .option('--network <amount>', 'Mbit/s, or with a unit: 100Mbit', amountFlag('network'))
    .option('--require <name=amount>', 'any other dimension; may be repeated', requireFlag)
    .option('--id <id>', "the task's name, unique among live leases and waiting requests")
    .option('--type <dimension>', 'what the request is mainly for')
    .option('--priority <class>')
    .option('--owner <owner>')
    .option('--tier <tier>')
    .option('--label <name=value>', 'may be repeated', pairFlag)
    .option('--ttl <span>', 'until it expires unless renewed', spanFlag)
    .option('--wait <span>', 'wait so long for room', spanFlag)
    .option('--deadline <time>', 'of no use after it; Unix ms or RFC 3339')
    .option('--idempotency-key <key>')
    .argument('[command...]', 'after --: a command to run under the lease')
    .action((words: string[], flags: Flags, command: Command) =>
      withClient(command, async (client, globals) => {
        const request = requestOf(flags);
        if (words.length > 0) process.exitCode = await runUnderLease(client, request, words);
        else await showLease(await client.allocateOnce(request), globals);
      }),
    );
}
