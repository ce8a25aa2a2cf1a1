import { parseArgs } from 'node:util';
import type { Endpoint } from './cluster/standing.ts';
import { type ServerOptions, startServer } from './server.ts';

const USAGE = `usage: main.ts --data DIR [--port N] [--advertise HOST:PORT] [--no-fsync] [--not-ready-ms N]

A server that speaks EventStoreDB's gRPC protocol, for tests. Listens on 127.0.0.1.
  --data DIR             folder of the log; made if it is not there
  --port N               0 (any free port) to 65535; default 2113
  --advertise HOST:PORT  the address that gossip tells clients; default the one listened at
  --no-fsync             answer appends before they would survive a loss of power
  --not-ready-ms N       answer "Server Is Not Ready" for N ms after the start`;

class UsageError extends Error {}

function parseOptions(args: readonly string[]): ServerOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      port: { type: 'string', default: '2113' },
      advertise: { type: 'string' },
      'no-fsync': { type: 'boolean', default: false },
      'not-ready-ms': { type: 'string', default: '0' },
    },
  });
  if (values.data === undefined) throw new UsageError('--data is missing: it names the folder of the log');
  const advertise = values.advertise === undefined ? {} : { advertise: parseEndpoint(values.advertise) };
  return {
    host: '127.0.0.1',
    port: parseInteger('--port', values.port, 65_535),
    dataDir: values.data,
    fsync: !values['no-fsync'],
    notReadyMs: parseInteger('--not-ready-ms', values['not-ready-ms'], 600_000),
    ...advertise,
  };
}

function parseInteger(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new UsageError(`${name} is ${JSON.stringify(text)}; allowed are whole numbers from 0 to ${max}`);
}

function parseEndpoint(text: string): Endpoint {
  const [, host, port] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (host === undefined || port === undefined) {
    throw new UsageError(`--advertise is ${JSON.stringify(text)}; allowed is HOST:PORT`);
  }
  return { host, port: parseInteger('--advertise', port, 65_535) };
}

async function main(): Promise<void> {
  const server = await startServer(parseOptions(process.argv.slice(2)));
  if (server.cutBytes > 0) console.error(`cut a torn tail of ${server.cutBytes} bytes off the log`);
  console.log(`listening on ${server.endpoint.host}:${server.endpoint.port}`);
  const stop = () => void server.close().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

try {
  await main();
} catch (error) {
  const isUsage = error instanceof UsageError || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  console.error(isUsage ? `${(error as Error).message}\n\n${USAGE}` : error);
  process.exit(isUsage ? 2 : 1);
}
