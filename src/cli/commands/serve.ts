import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Command, Option } from 'commander';
import type { PoolService } from '../../manager/service.ts';
import type { PoolView } from '../../model/views.ts';
import { CliError, EXIT } from '../exit.ts';
import { pairFlag, wholeFlag } from '../flags.ts';
import { LineSink } from '../line-sink.ts';
import { showAmounts, showUrl } from '../output.ts';
import { stopOnSignals } from '../stop-on-signals.ts';

interface Flags {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly config?: string;
  readonly set?: Record<string, string>;
  readonly standby?: boolean;
  readonly writerId?: string;
  readonly tokenFloor?: number;
  readonly logLevel: string;
  readonly store?: string;
  readonly pool: string;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

export function addServe(program: Command): void {
  const option = (flags: string, description: string, variable: string): Option =>
    new Option(flags, description).env(variable);
  program
    .command('serve')
    .description("serve this machine's capacity as a pool over HTTP")
    .addOption(option('--port <n>', '0 takes a free one', 'RPM_PORT').argParser(wholeFlag).default(7070))
    .addOption(option('--host <address>', 'loopback only', 'RPM_HOST').default('127.0.0.1'))
    .addOption(option('--data <dir>', 'where the embedded store lies', 'RPM_DATA').default('data'))
    .addOption(option('--config <file>', 'YAML or JSON', 'RPM_CONFIG'))
    .option('--set <path=value>', 'a configuration field; may be repeated', pairFlag)
    .option('--standby', 'wait until the writer of the store is gone, then take over')
    .option('--token-floor <n>', 'give no token up to this one: for a log that was copied by hand', wholeFlag)
    .option('--writer-id <id>', 'the name of this manager among several on one store')
    .addOption(
      option('--log-level <level>', 'what is logged, on stderr', 'RPM_LOG_LEVEL').choices(LOG_LEVELS).default('warn'),
    )
    .action((_: unknown, command: Command) => serve(command.optsWithGlobals<Flags>()));
}

/** What a service says goes to descriptors of which a full disk, or a reader that is stuck or gone, must not end it. */
class Voice {
  readonly #out = new LineSink(1, () => '');
  /** The log. */
  readonly err = new LineSink(2, droppedLine);

  print(text: string): void {
    this.#out.write(`${text}\n`);
  }

  talk(text: string): void {
    this.err.write(`${text}\n`);
  }
}

const droppedLine = (dropped: number): string =>
  `${JSON.stringify({ level: 40, time: Date.now(), dropped, msg: 'lines of this log could not be written' })}\n`;

async function serve(flags: Flags): Promise<void> {
  const url = flags.store ?? process.env['RPM_STORE'] ?? embedded(flags.data);
  const voice = new Voice();
  const { manager, server } = await start(flags, url, voice);
  stopOnSignals(
    (line) => voice.talk(line),
    async () => {
      const closed = server.close(); // new requests are answered 503 from here on
      await manager.dispose(); // ends what waits, so that the requests in flight get their answers
      await closed;
    },
  );
  const stopTelling = tellRecovery(manager, voice);
  await manager
    .ready()
    .finally(stopTelling)
    .catch(async (error: unknown) => {
      await server.close(); // it answered livez and readyz while the store was opened
      throw error;
    });
  announce(voice, await manager.getPool(), server.url, url);
}

const TELL_EVERY_MS = 2_000;

/** Says on stderr how far a long recovery is, until it is told to stop. */
function tellRecovery(service: Pick<PoolService, 'status'>, voice: Voice): () => void {
  const timer = setInterval(() => {
    const { state, checks } = service.status();
    const recovered = checks.find(({ name }) => name === 'recovered');
    if (state === 'recovering' && recovered?.message !== undefined) voice.talk(`recovering: ${recovered.message}`);
  }, TELL_EVERY_MS);
  return () => clearInterval(timer);
}

/** The manager on the store, and the server in front of it. */
async function start(flags: Flags, url: string, voice: Voice) {
  const [
    { loadConfig, unknownVariables },
    { ResourcePoolManager },
    { startServer },
    { createResourceDetector },
    { default: pino },
  ] = await Promise.all([
    import('../serve-config.ts'),
    import('../../manager/pool-manager.ts'),
    import('../../api/server.ts'),
    import('../../index.ts'),
    import('pino'),
  ]);
  const config = await loadConfig(flags.config, process.env, flags.set ?? {});
  for (const name of unknownVariables(process.env))
    voice.talk(`poolctl: ${name} is no variable of this program: not used`);
  const logger = pino({ level: flags.logLevel }, voice.err);
  const capacity = config.detection.capacity;
  const detector = createResourceDetector({ dataDir: flags.data, ...(capacity === null ? {} : { capacity }) });
  const manager = new ResourcePoolManager(detector, config, {
    eventStore: url,
    poolId: flags.pool,
    logger,
    standby: flags.standby ?? false,
    ...(flags.tokenFloor === undefined ? {} : { tokenFloor: flags.tokenFloor }),
    ...(flags.writerId === undefined ? {} : { writerId: flags.writerId }),
  });
  if (flags.standby) voice.talk(`standing by for ${showUrl(url)}`);
  try {
    return { manager, server: await startServer(manager, { host: flags.host, port: flags.port, logger }) };
  } catch (error) {
    await manager.dispose();
    throw inUse(error, flags);
  }
}

function announce(voice: Voice, pool: PoolView, address: string, store: string): void {
  voice.talk(`resource pool manager: pool ${pool.poolId} at revision ${pool.revision}, store ${showUrl(store)}`);
  voice.talk(`  capacity    ${showAmounts(pool.capacity)}`);
  for (const tier of pool.tiers) voice.talk(`  tier        ${tier.name.padEnd(12)} ${showAmounts(tier.nominal)}`);
  voice.print(`listening on ${address}`);
  voice.talk(
    `try: curl -s ${address}/v1/leases -H 'content-type: application/json' -d '{"id":"task-1","requirements":{"memory":1000,"cpu":10}}'`,
  );
}

function inUse(error: unknown, { host, port }: Flags): unknown {
  if ((error as { code?: string }).code !== 'EADDRINUSE') return error;
  return new CliError(
    EXIT.error,
    `port ${port} of ${host} is in use: another server runs there (--port 0 takes a free one)`,
  );
}

function embedded(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true });
  const path = join(dataDir, 'pool.db');
  return path.includes('?') ? `sqlite:${pathToFileURL(path).href}` : `sqlite:${path}`;
}
