import type { Command } from 'commander';
import type { EventFilter, StreamItem } from '../../manager/service.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../../model/events.ts';
import { wholeFlag } from '../flags.ts';
import { print, printValue, showInstant } from '../output.ts';
import { type Globals, withReader } from '../session.ts';

interface Flags {
  readonly follow?: boolean;
  readonly from?: number;
  readonly to?: number;
  readonly type?: string[];
  readonly lease?: string;
  readonly owner?: string;
  readonly limit?: number;
}

function filterOf(flags: Flags): EventFilter {
  return {
    ...(flags.from === undefined ? {} : { from: flags.from }),
    ...(flags.to === undefined ? {} : { to: flags.to }),
    ...(flags.type === undefined ? {} : { types: flags.type }),
    ...(flags.lease === undefined ? {} : { leaseId: flags.lease }),
    ...(flags.owner === undefined ? {} : { owner: flags.owner }),
  };
}

function line(event: RecordedPoolEvent | RecordedAuditEvent): string {
  return `${String(event.revision).padStart(8)}  ${showInstant(event.at)}  ${event.type.padEnd(20)} ${JSON.stringify(event.data)}`;
}

async function show(event: RecordedPoolEvent | RecordedAuditEvent, globals: Globals): Promise<void> {
  if (globals.output === 'table') return print(line(event).slice(0, 200));
  if (globals.output === 'wide') return print(line(event));
  await printValue(event, globals.output);
}

type Source = (
  filter: EventFilter,
  signal: AbortSignal,
) => AsyncIterable<StreamItem<RecordedPoolEvent | RecordedAuditEvent>>;

/** Prints history, and goes on with what comes if `--follow`; else stops at the mark that history has been delivered. */
async function run(source: Source, flags: Flags, globals: Globals): Promise<void> {
  const stop = new AbortController();
  let shown = 0;
  for await (const item of source(filterOf(flags), stop.signal)) {
    if ('caughtUp' in item) {
      if (!flags.follow) break;
      continue;
    }
    await show(item.event, globals);
    shown += 1;
    if (flags.limit !== undefined && shown >= flags.limit) break;
  }
  stop.abort();
}

const withFlags = (command: Command): Command =>
  command
    .option('-f, --follow', 'go on with what is appended')
    .option('--from <revision>', 'first revision, inclusive', wholeFlag)
    .option('--to <revision>', 'last revision, inclusive', wholeFlag)
    .option('--type <type...>', 'only these event types')
    .option('--lease <id>')
    .option('--owner <owner>')
    .option('--limit <n>', 'stop after so many', wholeFlag);

export function addEvents(program: Command): void {
  withFlags(program.command('events').description('the log: every decision in order')).action(
    (flags: Flags, command: Command) =>
      withReader(command, (reader, globals) =>
        run((filter, signal) => reader.followEvents(filter, signal), flags, globals),
      ),
  );
  withFlags(program.command('refusals').description('the audit stream: every refusal in order')).action(
    (flags: Flags, command: Command) =>
      withReader(command, (reader, globals) =>
        run((filter, signal) => reader.followRefusals(filter, signal), flags, globals),
      ),
  );
}
