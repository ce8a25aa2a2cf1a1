import type { Command } from 'commander';
import type { LeaseView, PoolView, RequestView, TierView } from '../../model/views.ts';
import { type Column, print, printRows, printValue, showAmounts, showInstant, showSpan } from '../output.ts';
import { everyItem } from '../pages.ts';
import { type Globals, withReader } from '../session.ts';

const LEASES: readonly Column<LeaseView>[] = [
  { heading: 'ID', value: (lease) => lease.id },
  { heading: 'REQUEST', value: (lease) => lease.requestId },
  { heading: 'TOKEN', value: (lease) => String(lease.token) },
  { heading: 'TIER', value: (lease) => lease.tier },
  { heading: 'PRIORITY', value: (lease) => lease.priority },
  { heading: 'OWNER', value: (lease) => lease.owner },
  { heading: 'AMOUNTS', value: (lease) => showAmounts(lease.amounts) },
  { heading: 'STATE', value: (lease) => (lease.reason === null ? lease.state : `${lease.state}: ${lease.reason}`) },
  { heading: 'EXPIRES', value: (lease) => (lease.state === 'active' ? showInstant(lease.expiresAt) : '-') },
  { heading: 'BORROWED', value: (lease) => showAmounts(lease.borrowed), wide: true },
  { heading: 'GRANTED', value: (lease) => showInstant(lease.grantedAt), wide: true },
  { heading: 'REVISION', value: (lease) => String(lease.revision), wide: true },
];

const REQUESTS: readonly Column<RequestView>[] = [
  { heading: 'REQUEST', value: (request) => request.requestId },
  { heading: 'POSITION', value: (request) => String(request.position) },
  { heading: 'TIER', value: (request) => request.tier },
  { heading: 'PRIORITY', value: (request) => request.priority },
  { heading: 'OWNER', value: (request) => request.owner },
  { heading: 'AMOUNTS', value: (request) => showAmounts(request.amounts) },
  { heading: 'LACKS', value: (request) => showAmounts(request.shortfall) },
  {
    heading: 'STARTS IN',
    value: (request) => (request.estimatedStartMs === null ? '-' : showSpan(request.estimatedStartMs)),
  },
  { heading: 'UNTIL', value: (request) => showInstant(request.expiresAt), wide: true },
];

const TIERS: readonly Column<TierView>[] = [
  { heading: 'TIER', value: (tier) => tier.name },
  { heading: 'ADMISSION', value: (tier) => tier.admission },
  { heading: 'LOAD', value: (tier) => tier.load },
  { heading: 'NOMINAL', value: (tier) => showAmounts(tier.nominal) },
  { heading: 'ALLOCATED', value: (tier) => showAmounts(tier.allocated) },
  { heading: 'FREE', value: (tier) => showAmounts(tier.free) },
  { heading: 'WAITING', value: (tier) => String(tier.waiting) },
  { heading: 'BORROWED', value: (tier) => showAmounts(tier.borrowed), wide: true },
  { heading: 'LENT', value: (tier) => showAmounts(tier.lent), wide: true },
];

/** The pool as a person reads it: a few facts, then its tiers. */
export async function showPool(pool: PoolView, globals: Globals): Promise<void> {
  if (globals.output === 'json' || globals.output === 'yaml' || globals.output === 'ndjson')
    return printValue(pool, globals.output);
  const used = Object.entries(pool.utilization).map(([name, ratio]) => `${name} ${(ratio * 100).toFixed(1)}%`);
  print(
    `pool ${pool.poolId} at revision ${pool.revision} (${showInstant(pool.at)})${pool.draining ? ', draining' : ''}`,
  );
  print(`capacity ${showAmounts(pool.capacity)}, allocatable ${showAmounts(pool.allocatable)}`);
  print(
    `used ${used.join(', ') || '-'}; ${pool.leases} leases, ${pool.queue.waiting} waiting; breaker ${pool.breaker.mode}\n`,
  );
  await printRows(pool.tiers, TIERS, globals.output);
}

export function addGet(program: Command): void {
  const get = program.command('get').description('list leases, tiers or requests, or show the pool');
  get
    .command('leases')
    .description('list leases, live and ended')
    .option('--owner <owner>')
    .option('--tier <tier>')
    .option('--priority <class>')
    .option('--state <state>', 'active, released or reclaimed')
    .action((filter, command: Command) =>
      withReader(command, async (reader, globals) => {
        const leases = await everyItem((page) => reader.listLeases({ ...filter, ...page }));
        await printRows(leases, LEASES, globals.output);
      }),
    );
  get
    .command('tiers')
    .description('list the tiers with their modes and amounts')
    .action((_, command: Command) =>
      withReader(command, async (reader, globals) => printRows((await reader.getPool()).tiers, TIERS, globals.output)),
    );
  get
    .command('requests')
    .description('list the requests that wait')
    .option('--owner <owner>')
    .option('--tier <tier>')
    .action((filter, command: Command) =>
      withReader(command, async (reader, globals) => {
        const requests = await everyItem((page) => reader.listRequests({ ...filter, ...page }));
        await printRows(requests, REQUESTS, globals.output);
      }),
    );
  get
    .command('pool')
    .description('show the pool now')
    .action((_, command: Command) =>
      withReader(command, async (reader, globals) => showPool(await reader.getPool(), globals)),
    );
}

export function addDescribe(program: Command): void {
  program
    .command('describe')
    .description('everything about one lease, and the events that made it so')
    .argument('<kind>', 'lease')
    .argument('<id>')
    .action((kind: string, id: string, _, command: Command) =>
      withReader(command, async (reader, globals) => {
        if (kind !== 'lease') command.error(`error: ${kind} cannot be described; allowed: lease`, { exitCode: 2 });
        const lease = await reader.getLease(id);
        const events = await everyItem((page) => reader.pageEvents({ leaseId: id }, page));
        if (globals.output !== 'table' && globals.output !== 'wide')
          return printValue({ lease, events }, globals.output);
        for (const [name, value] of Object.entries(lease))
          print(`${name.padEnd(14)} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
        print('\nevents');
        for (const event of events)
          print(`  ${String(event.revision).padStart(8)}  ${showInstant(event.at)}  ${event.type}`);
      }),
    );
}
