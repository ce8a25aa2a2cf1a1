import type { FileHandle } from 'node:fs/promises';
import type { Command } from 'commander';
import type { EventStore } from '../../model/event-store.ts';
import { CliError, EXIT } from '../exit.ts';
import { wholeFlag } from '../flags.ts';
import { linesOf } from '../lines.ts';
import { print, printValue, showSpan, talk } from '../output.ts';
import { progress } from '../progress.ts';
import type { Globals } from '../session.ts';
import { TOKEN_FLOOR } from './copy.ts';

export function addTransfer(program: Command): void {
  program
    .command('export')
    .description(
      'write the pool in a store (--store) to a file, with checksums; a file that was cut short is gone on with',
    )
    .argument('[file]', '- is stdout', '-')
    .action((file: string, _, command: Command) =>
      withStore(command, true, (store, globals) => exportTo(file, store, globals)),
    );
  program
    .command('import')
    .description('append an exported pool to a store (--store), where it goes on as it was; may be begun again')
    .argument('[file]', '- is stdin', '-')
    .option('--dry-run', 'verify the file and write nothing')
    .option(...TOKEN_FLOOR, wholeFlag)
    .action((file: string, flags: ImportFlags, command: Command) =>
      flags.dryRun
        ? verify(file, command.optsWithGlobals<Globals>())
        : withStore(command, false, (store, globals) => importFrom(file, store, globals, flags)),
    );
}

async function withStore(
  command: Command,
  readOnly: boolean,
  work: (store: EventStore, globals: Globals) => Promise<void>,
): Promise<void> {
  const globals = command.optsWithGlobals<Globals>();
  if (globals.store === undefined)
    throw new CliError(EXIT.usage, `${command.name()} needs a store: give it with --store URL`);
  const { openEventStore } = await import('../../transfer/index.ts');
  const store = await openEventStore(globals.store, { readOnly });
  try {
    await work(store, globals);
  } finally {
    await store.close();
  }
}

async function exportTo(file: string, store: EventStore, { pool }: Globals): Promise<void> {
  const { exportLog } = await import('../../transfer/index.ts');
  const began = performance.now();
  if (file === '-') {
    for await (const text of exportLog(store, pool, { onProgress: progress() })) await write(text);
    return;
  }
  const { open } = await import('node:fs/promises');
  const handle = await open(file, 'a+');
  try {
    await goOn(handle, file, store, pool);
  } finally {
    await handle.close();
  }
  talk(`${file}: whole, after ${showSpan(performance.now() - began)}`);
}

/** Cuts a torn end off, and appends what is missing. */
async function goOn(handle: FileHandle, file: string, store: EventStore, pool: string): Promise<void> {
  const { exportLog, goodPart } = await import('../../transfer/index.ts');
  const { size } = await handle.stat();
  const good = await goodPart(await linesOf(file), pool);
  if (good.whole && good.bytes === size) return talk(`${file} holds the whole of an export already`);
  if (good.bytes === 0 && size > 0) throw new CliError(EXIT.usage, `${file} exists and is no export of this pool`);
  if (good.whole) throw new CliError(EXIT.missing, `${file} has text after its end`);
  if (good.bytes > 0) talk(`${file}: going on after ${good.bytes} bytes`);
  await handle.truncate(good.bytes);
  const options = good.after === undefined ? {} : { after: good.after };
  for await (const text of exportLog(store, pool, { ...options, onProgress: progress() }))
    await handle.appendFile(text);
  await handle.sync();
}

interface ImportFlags {
  readonly dryRun?: boolean;
  readonly tokenFloor?: number;
}

async function importFrom(
  file: string,
  store: EventStore,
  globals: Globals,
  { tokenFloor }: ImportFlags,
): Promise<void> {
  const { floorAbove, importLog, verifyExport } = await import('../../transfer/index.ts');
  if (file !== '-') {
    const { ruledOut } = await verifyExport(await linesOf(file), globals.pool);
    floorAbove(ruledOut, tokenFloor);
  }
  const began = performance.now();
  const imported = await importLog(store, globals.pool, await linesOf(file), {
    onProgress: progress(),
    ...(tokenFloor === undefined ? {} : { tokenFloor }),
  });
  show(imported, performance.now() - began, globals);
}

async function verify(file: string, globals: Globals): Promise<void> {
  const { verifyExport } = await import('../../transfer/index.ts');
  const began = performance.now();
  show(await verifyExport(await linesOf(file), globals.pool), performance.now() - began, globals);
}

type Shown = Awaited<ReturnType<typeof import('../../transfer/index.ts').verifyExport>>;

function show(imported: Shown, ms: number, { output }: Globals): Promise<void> | void {
  if (output !== 'table' && output !== 'wide') return printValue(imported, output);
  const { events, refusals, alreadyThere, sha256, tokenFloor } = imported;
  const perSecond = Math.round((events + refusals) / (ms / 1000));
  print(`${events} events and ${refusals} refusals, ${alreadyThere} of them there already; ${perSecond}/s`);
  print(`sha256 ${sha256}`);
  if (tokenFloor !== null) print(`new tokens begin above ${tokenFloor}`);
}

/** Resolves when stdout has taken the text, so that a slow reader slows the export down. */
const write = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error == null ? resolve() : reject(error)));
  });
