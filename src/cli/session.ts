import type { Command } from 'commander';
import type { ResourcePoolClient } from '../client/index.ts';
import type { PoolReader } from '../manager/service.ts';
import { isPoolError } from '../model/errors.ts';
import type { LogReader } from '../reading/log-reader.ts';
import { CliError, EXIT } from './exit.ts';
import { type Format, showUrl, talk } from './output.ts';

/** The flags that every command takes. */
export interface Globals {
  readonly output: Format;
  readonly server?: string;
  readonly store?: string;
  readonly pool: string;
}

export const DEFAULT_SERVER = 'http://127.0.0.1:7070';

const serverOf = (globals: Globals): string => globals.server ?? process.env['RPM_SERVER'] ?? DEFAULT_SERVER;

/** Runs `work` with a client of the server; a command that changes something cannot work on a log that is opened read-only. */
export async function withClient(
  command: Command,
  work: (client: ResourcePoolClient, globals: Globals) => Promise<void>,
): Promise<void> {
  const globals = command.optsWithGlobals<Globals>();
  if (globals.store !== undefined)
    throw new CliError(
      EXIT.usage,
      `--store ${showUrl(globals.store)}: ${command.name()} needs a server; a log is only read`,
    );
  const { createClient } = await import('../client/index.ts');
  const client = createClient({ url: serverOf(globals), actor: 'poolctl' });
  try {
    await work(client, globals);
  } catch (error) {
    throw unreachable(error, serverOf(globals));
  } finally {
    await client.close();
  }
}

/** That nobody listens there is told as such. */
function unreachable(error: unknown, url: string): unknown {
  if (!isPoolError(error) || error.code !== 'OUTCOME_UNKNOWN' || !error.message.endsWith('ECONNREFUSED')) return error;
  return new CliError(EXIT.error, `nobody answers at ${url} (ECONNREFUSED): is the server running? (poolctl serve)`);
}

/** Runs `work` with what can be read: of a server, or of a log that is opened read-only (`--store`). */
export async function withReader(
  command: Command,
  work: (reader: PoolReader, globals: Globals) => Promise<void>,
): Promise<void> {
  const { store } = command.optsWithGlobals<Globals>();
  if (store === undefined) return withClient(command, (client, globals) => work(client.reader, globals));
  return withLog(command, work);
}

/** Runs `work` on a log that is opened read-only, for what no server is asked. See `OpenLogOptions`. */
export async function withLog(
  command: Command,
  work: (log: LogReader, globals: Globals) => Promise<void>,
  { whole = false, anyPool = false }: { readonly whole?: boolean; readonly anyPool?: boolean } = {},
): Promise<void> {
  const globals = command.optsWithGlobals<Globals>();
  if (globals.store === undefined)
    throw new CliError(
      EXIT.usage,
      `${command.name()} reads a store: give it with --store URL (that of \`npm start\`: sqlite:data/pool.db)`,
    );
  const { openLogReader } = await import('../reading/log-reader.ts');
  const { SILENT } = await import('../model/interfaces.ts');
  const logger = { ...SILENT, warn: (_: unknown, message?: string) => talk(`warning: ${message}`) };
  const log = await openLogReader(globals.store, globals.pool, { whole, anyPool, logger: whole ? logger : SILENT });
  try {
    await work(log, globals);
  } finally {
    await log.close();
  }
}
