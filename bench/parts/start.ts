/** How long `poolctl serve` takes until it listens, on an empty store, and `poolctl --help`, beside a bare Node; in turn, in one run. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { note, progress, summary, tell } from '../measure.ts';
import { scratchFolder } from '../support/scratch.ts';
import { startProcess } from '../support/server-process.ts';

const ROUNDS = 25;
const POOLCTL = 'dist/bin/poolctl.js';
const folder = scratchFolder();

function runMs(...args: string[]): number {
  const startedMs = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return performance.now() - startedMs;
}

async function readyMs(): Promise<number> {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  const server = await startProcess([POOLCTL, 'serve', '--port', '0', '--data', dataDir]);
  await server.stop();
  return server.readyMs;
}

const node: number[] = [];
const help: number[] = [];
const ready: number[] = [];
for (let i = 0; i < ROUNDS; i++) {
  node.push(runMs('-e', '0'));
  help.push(runMs(POOLCTL, '--help'));
  ready.push(await readyMs());
  progress(i + 1, ROUNDS);
}
tell({ what: 'node -e 0', ...summary(node), unit: 'ms' });
tell({ what: 'poolctl --help', ...summary(help), unit: 'ms', bar: { is: 'below', value: 100 } });
tell({
  what: 'poolctl serve on an empty store, until it listens',
  ...summary(ready),
  unit: 'ms',
  bar: { is: 'below', value: 400 },
});
note('the built files (dist/bin), as `npm start` runs them; npm itself comes on top; the files lie in the page cache');
