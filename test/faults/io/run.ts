import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { event, readBack } from '../../eventstore/fixture.ts';
import { fastFolder } from '../fast-folder.ts';
import { programPath } from '../launch.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { type Call, MARKS, MISSED, type Mode, type Sweep, type Tried } from './cases.ts';
import { WORKLOADS } from './workload.ts';

const CALLS: readonly Call[] = ['pwrite64', 'fsync', 'fdatasync', 'openat', 'ftruncate', 'unlink'];
const ERRORS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE'] as const;
/** So many cases go through one process, so that their files do not fill the memory. */
const CASES_OF_A_PROCESS = 40;

const AIMS = 3;

/** A failure as strace injects it: an error, or a write that says it wrote nothing. */
interface Fault {
  readonly call: Call;
  readonly error: string;
  readonly mode: Mode;
}

interface Block extends Fault {
  readonly workload: string;
  readonly made: number;
  readonly from: number;
  readonly to: number;
}

/** Whether processes may be traced here. */
export const canTrace = (): boolean => spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;

/** Every k-th write, sync, open, cut and unlink of the store fails once, and for ever, with every error; or about `count` of these cases, drawn in blocks. */
export async function ioRun(share: Share): Promise<Counts> {
  const { folder, remove } = fastFolder();
  const tally = new Tally();
  try {
    const blocks = choose(await allBlocks(folder), share);
    for (const [i, block] of blocks.entries()) if (mine(i, share)) await tryBlock(join(folder, `${i}`), block, tally);
  } finally {
    remove();
  }
  return tally.counts;
}

async function allBlocks(folder: string): Promise<Block[]> {
  const blocks: Block[] = [];
  for (const workload of Object.keys(WORKLOADS)) {
    const made = await countCalls(join(folder, workload), workload);
    for (const fault of faults()) {
      const calls = made[fault.call] ?? 0;
      for (let from = 1; from <= calls; from += CASES_OF_A_PROCESS)
        blocks.push({ ...fault, workload, made: calls, from, to: Math.min(calls, from + CASES_OF_A_PROCESS - 1) });
    }
  }
  return blocks;
}

function* faults(): Generator<Fault> {
  for (const call of CALLS) {
    for (const error of ERRORS) {
      yield { call, error, mode: 'once' };
      yield { call, error, mode: 'forever' };
    }
    if (call !== 'openat') yield { call, error: 'EINTR', mode: 'interrupted' };
  }
  yield { call: 'pwrite64', error: 'short', mode: 'once' };
}

/**
 * All; or about `count` cases: those where no sync ever succeeds, then each place (the k-th call of a kind, once and for ever) with
 * one error drawn for it, then others in random order.
 */
function choose(all: readonly Block[], { count, seed }: Share): Block[] {
  if (count === 0) return [...all];
  const random = randomSource(seed);
  const places = new Set<string>();
  const rank = (block: Block): number => {
    const before = places.size;
    if (block.mode !== 'interrupted') places.add([block.workload, block.call, block.mode, block.from].join());
    return isNeverSynced(block) ? 0 : places.size > before ? 1 : 2;
  };
  const shuffled = all.map((block) => ({ block, at: random() })).sort((a, b) => a.at - b.at);
  const ranked = shuffled.map(({ block }) => ({ block, at: rank(block) })).sort((a, b) => a.at - b.at);
  let cases = 0;
  return ranked.flatMap(({ block }) => {
    if (cases >= count) return [];
    cases += block.to - block.from + 1;
    return [block];
  });
}

const isNeverSynced = ({ call, mode }: Fault): boolean => call === 'fsync' && mode === 'forever';

async function countCalls(folder: string, workload: string): Promise<Partial<Record<Call, number>>> {
  mkdirSync(folder);
  const log = join(folder, 'trace');
  const sweep: Sweep = { folder, workload, mode: 'count', call: 'openat', step: 0, from: 0, to: 0 };
  await trace(['-o', log, '-e', `trace=${CALLS.join()}`], sweep);
  const lines = readFileSync(log, 'utf8').split('\n');
  const [begin, end] = MARKS.map((mark) => lines.findIndex((line) => line.includes(mark)));
  const counted: Partial<Record<Call, number>> = {};
  for (const line of lines.slice(begin! + 1, end)) {
    const call = CALLS.find((name) => line.includes(`${name}(`));
    if (call !== undefined) counted[call] = (counted[call] ?? 0) + 1;
  }
  return counted;
}

async function tryBlock(folder: string, block: Block, tally: Tally): Promise<void> {
  const { call, error, mode, workload, made, from, to } = block;
  // More calls than a workload makes with what it tries again; and in a thread its start comes before.
  const step = mode === 'once' ? Math.ceil(made * 1.5) + 50 : made + 500;
  const what = error === 'short' ? 'retval=0' : `error=${error}`;
  const when = { once: `${step}+${step}`, forever: `${step}+`, interrupted: `${step}` }[mode];
  const log = join(folder, 'trace');
  const inject = ['-o', log, '-s', '1', '-e', `trace=${call}`, '-e', `inject=${call}:${what}:when=${when}`];
  const said = await aim(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    return trace(inject, { folder, workload, call, mode, step, from, to });
  }, tally);
  const cases = said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Tried);
  const reached = mode === 'interrupted' ? interruptedCalls(readFileSync(log, 'utf8')) : cases.length;
  for (const [i, tried] of cases.entries()) {
    await verify(tried, isNeverSynced(block)).catch((violation: unknown) => {
      throw new Error(`${workload}: ${call} number ${tried.k} fails with ${error}, ${mode}: ${violation}`, {
        cause: violation,
      });
    });
    if (tried.reached && i < reached) count(block, tried, tally);
    else tally.add('not reached');
  }
  rmSync(folder, { recursive: true });
}

/** A thread that made a call more than another at its start fails before its case: that is no case, and is aimed again. */
async function aim(trace: () => Promise<string>, tally: Tally): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await trace();
    } catch (error) {
      if (attempt === AIMS || !String(error).includes(MISSED)) throw error;
      tally.add('aimed again');
    }
  }
}

function count({ call, error, mode }: Block, { outcome }: Tried, tally: Tally): void {
  for (const what of ['cases', `${call} ${mode}`, error]) tally.add(what);
  if (mode !== 'forever') tally.add(outcome.finished ? 'once: carried through' : 'once: not opened');
}

/** Threads whose call was interrupted, by the trace: one call each, and none of those that do nothing. The last calls of a workload are not always made. */
function interruptedCalls(log: string): number {
  const lines = log.split('\n').filter((line) => line.includes('(INJECTED)'));
  const idle = lines.find((line) => line.includes(', 1, 0)') || line.includes('/nothing'));
  if (idle !== undefined) throw new Error(`a call that does nothing was interrupted: ${idle}`);
  return lines.length;
}

async function trace(options: readonly string[], sweep: Sweep): Promise<string> {
  const args = [
    '-f',
    '--seccomp-bpf',
    '-qq',
    ...options,
    process.execPath,
    programPath('io-sweep'),
    JSON.stringify(sweep),
  ];
  const { stdout } = await promisify(execFile)('strace', args, { maxBuffer: 2 ** 28 });
  return stdout;
}

/** What no sync has borne out is shown to nobody. Started again without the fault: all that was acknowledged is there, in order, and perhaps all of what is unknown; it accepts. */
async function verify({ folder, outcome }: Tried, neverSynced: boolean): Promise<void> {
  if (outcome.wrong.length > 0) throw new Error(outcome.wrong.join('; '));
  if (neverSynced && outcome.doubtfulReads > 0)
    throw new Error(`${outcome.doubtfulReads} reads showed what no sync has borne out`);
  const store = await openEventStore(`sqlite:${join(folder, 'log.db')}`);
  try {
    for (const [stream, known] of Object.entries(outcome.acknowledged)) {
      const read = (await readBack(store, stream)).map(({ id }) => id);
      const unknown = outcome.unknown?.stream === stream ? outcome.unknown.ids : [];
      const allowed = [known, [...known, ...unknown]].map((ids) => ids.join());
      if (!allowed.includes(read.join()))
        throw new Error(`${stream}: ${read.length} events, ${known.length} were acknowledged`);
      const again = await store.append(stream, [event('after')], read.length - 1);
      if (again.outcome !== 'appended')
        throw new Error(`${stream}: an append after the restart: ${JSON.stringify(again)}`);
    }
  } finally {
    await store.close();
  }
}
