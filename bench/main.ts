/**
 * Runs every part of the benchmark, one after the other, each in a process of its own so that none warms another up, and writes
 * one page of results. `--only NAME` runs one part and writes nothing; `--skip NAME` leaves one out, and the page says so. Progress and the time left are printed on stderr.
 */
import { execFileSync, fork } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Message } from './measure.ts';
import { type PartResult, renderPage } from './page.ts';
import { Progress } from './progress.ts';

const folder = new URL('./parts/', import.meta.url);
const page = new URL('./results/README.md', import.meta.url);
const all = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

const { only, skip = [] } = parseArgs({
  options: { only: { type: 'string' }, skip: { type: 'string', multiple: true } },
}).values;
if (only !== undefined && !all.includes(only)) {
  console.error(`--only ${only}: there is no such part; allowed: ${all.join(', ')}`);
  process.exit(2);
}

async function run(name: string, progress: Progress): Promise<PartResult> {
  const result: PartResult = { name, figures: [], notes: [], failed: false };
  const child = fork(new URL(`${name}.ts`, folder), [], { execArgv: ['--expose-gc'] });
  child.on('message', (message: Message) => {
    if ('figure' in message) result.figures.push(message.figure);
    else if ('note' in message) result.notes.push(message.note);
    else progress.within(message.done / message.of);
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  return { ...result, failed: code !== 0 };
}

const names = only === undefined ? all.filter((name) => !skip.includes(name)) : [only];
const progress = new Progress(names);
const results: PartResult[] = [];
for (const name of names) {
  progress.begin(name);
  results.push(await run(name, progress));
}
progress.end();

if (only === undefined) {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  mkdirSync(new URL('.', page), { recursive: true });
  writeFileSync(page, renderPage(results, commit, skip));
  console.error(`written: ${page.pathname}`);
}
if (results.some(({ failed }) => failed)) process.exitCode = 1;
