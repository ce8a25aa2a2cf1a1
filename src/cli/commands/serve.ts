import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { pairFlag, wholeFlag } from '../flags.ts';
import { showAmounts, talk } from '../output.ts';

interface Flags {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly config?: string;
  readonly set?: Record<string, string>;
  readonly standby?: boolean;
  readonly writerId?: string;
  readonly logLevel: string;
  readonly store?: string;
  readonly pool: string;
}

/** A second signal within this time is the one that npm hands on twice; later it means: now. */
const SECOND_SIGNAL_MS = 1_000;
const fromEnvironment = (name: string, fallback: string): string => process.env[name] ?? fallback;

export function addServe(program: Command): void {
  program
    .command('serve')
    .description("serve this machine's capacity as a pool over HTTP")
    .option('--port <n>', 'RPM_PORT; 0 takes a free one', wholeFlag, wholeFlag(fromEnvironment('RPM_PORT', '7070')))
    .option('--host <address>', 'RPM_HOST; loopback only', fromEnvironment('RPM_HOST', '127.0.0.1'))
    .option('--data <dir>', 'RPM_DATA; where the embedded store lies', fromEnvironment('RPM_DATA', 'data'))
    .option('--config <file>', 'RPM_CONFIG; YAML or JSON', process.env['RPM_CONFIG'])
    .option('--set <path=value>', 'a configuration field; may be repeated', pairFlag)
    .option('--standby', 'wait until the writer of the store is gone, then take over')
    .option('--writer-id <id>', 'the name of this manager among several on one store')
    .option(
      '--log-level <level>',
      'RPM_LOG_LEVEL; fatal, error, warn, info, debug, trace',
      fromEnvironment('RPM_LOG_LEVEL', 'warn'),
    )
    .action((_: unknown, command: Command) => serve(command.optsWithGlobals<Flags>()));
}

async function serve(flags: Flags): Promise<void> {
  const [{ loadConfig }, { ResourcePoolManager }, { startServer }, { createResourceDetector }, { default: pino }] =
    await Promise.all([
      import('../serve-config.ts'),
      import('../../manager/pool-manager.ts'),
      import('../../api/server.ts'),
      import('../../index.ts'),
      import('pino'),
    ]);
  const config = await loadConfig(flags.config, process.env, flags.set ?? {});
  const logger = pino({ level: flags.logLevel }, pino.destination({ dest: 2, sync: true }));
  const url = flags.store ?? process.env['RPM_STORE'] ?? embedded(flags.data);
  const capacity = config.detection.capacity;
  const detector = createResourceDetector({ dataDir: flags.data, ...(capacity === null ? {} : { capacity }) });
  const manager = new ResourcePoolManager(detector, config, {
    eventStore: url,
    poolId: flags.pool,
    logger,
    standby: flags.standby ?? false,
    ...(flags.writerId === undefined ? {} : { writerId: flags.writerId }),
  });
  if (flags.standby) talk(`standing by for ${url}`);
  const server = await startServer(manager, { host: flags.host, port: flags.port, logger });
  stopOnSignals(async () => {
    const closed = server.close(); // new requests are answered 503 from here on
    await manager.dispose(); // ends what waits, so that the requests in flight get their answers
    await closed;
  });
  await manager.ready().catch(async (error: unknown) => {
    await server.close(); // it answered livez and readyz while the store was opened
    throw error;
  });
  const pool = await manager.getPool();
  talk(`resource pool manager: pool ${pool.poolId} at revision ${pool.revision}, store ${url}`);
  talk(`  capacity    ${showAmounts(pool.capacity)}`);
  for (const tier of pool.tiers) talk(`  tier        ${tier.name.padEnd(12)} ${showAmounts(tier.nominal)}`);
  process.stdout.write(`listening on ${server.url}\n`);
  talk(
    `try: curl -s ${server.url}/v1/leases -H 'content-type: application/json' -d '{"id":"task-1","requirements":{"memory":1000,"cpu":10}}'`,
  );
}

function embedded(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true });
  return `sqlite:${join(dataDir, 'pool.db')}`;
}

/** Stops once, cleanly, on SIGINT or SIGTERM; a second signal more than a second later ends at once with 1. */
function stopOnSignals(stop: () => Promise<void>): void {
  let since: number | undefined;
  const onSignal = () => {
    const now = performance.now();
    if (since === undefined) {
      since = now;
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          talk(`poolctl: stop failed: ${error instanceof Error ? error.message : error}`);
          process.exit(1);
        },
      );
    } else if (now - since > SECOND_SIGNAL_MS) process.exit(1);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}
