import type { Command } from 'commander';
import type { PoolReader } from '../../manager/service.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';
import type { Replayed, ReplayRange } from '../../reading/replay-log.ts';
import { wholeFlag } from '../flags.ts';
import { print, printValue } from '../output.ts';
import { progress } from '../progress.ts';
import { type Globals, withLog, withReader } from '../session.ts';

const PAGE_EVENTS = 1_000;

/** The log of a server, page by page. */
async function* pagesOf(reader: PoolReader, from: number, to: number): AsyncGenerator<readonly RecordedPoolEvent[]> {
  let cursor: string | undefined;
  do {
    const page = await reader.pageEvents({ from, to }, { limit: PAGE_EVENTS, ...(cursor !== undefined && { cursor }) });
    yield page.items;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}

/** Replays the log that `--store` names, or that of the server: read over HTTP, folded here. */
async function replayAny(reader: PoolReader, range: ReplayRange): Promise<Replayed> {
  const { LogReader } = await import('../../reading/log-reader.ts');
  if (reader instanceof LogReader) return reader.replay(range);
  const { replayLog } = await import('../../reading/replay-log.ts');
  const { revision } = await reader.getPool();
  return replayLog((from, to) => pagesOf(reader, from, Math.min(to, revision)), revision, range);
}

interface ReplayFlags {
  readonly from?: number;
  readonly to?: number;
  readonly verify?: boolean;
}

async function showReplay(reader: PoolReader, flags: ReplayFlags, globals: Globals): Promise<void> {
  const began = performance.now();
  const replayed = await replayAny(reader, { ...flags, onProgress: progress() });
  const seconds = (performance.now() - began) / 1000;
  const eventsPerSecond = Math.round((replayed.events * (flags.verify ? 2 : 1)) / seconds);
  if (globals.output !== 'table' && globals.output !== 'wide')
    return printValue({ ...replayed, eventsPerSecond, verified: flags.verify ?? false }, globals.output);
  const twice = flags.verify ? ', twice the same' : '';
  print(
    `revision ${replayed.revision}: ${replayed.events} events in ${seconds.toFixed(2)} s, ${eventsPerSecond} events/s${twice}`,
  );
  print(`sha256 ${replayed.sha256}`);
}

export function addLogCommands(program: Command): void {
  program
    .command('replay')
    .description('fold the log anew and rebuild every projection: rate, and the SHA-256 of the state')
    .option('--from <revision>', 'first one to replay; what lies before it is only folded into the state', wholeFlag)
    .option('--to <revision>', 'up to this one, inclusive', wholeFlag)
    .option('--verify', 'twice, and compare the state and every projection')
    .action((flags: ReplayFlags, command: Command) =>
      withReader(command, (reader, globals) => showReplay(reader, flags, globals)),
    );
  program
    .command('check')
    .description('verify a store (--store): every event is there, whole, and can be folded')
    .option('--all', 'of a server (esdb:) every pool, not only the one of --pool; a file is always checked whole')
    .action((flags: { readonly all?: true }, command: Command) =>
      withLog(
        command,
        async (log, globals) => {
          const checked = await log.check(progress(), flags.all);
          if (globals.output !== 'table' && globals.output !== 'wide') return printValue(checked, globals.output);
          print(`ok: ${checked.events} events, ${checked.refusals} refusals`);
        },
        { whole: true, anyPool: flags.all === true },
      ),
    );
}
