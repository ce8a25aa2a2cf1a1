import { describe, expect, it } from 'vitest';
import {
  clocksAndRandoms,
  fullFolders,
  isCore,
  longFile,
  longFunctions,
  numbersWithoutUnit,
  pathsAndHosts,
  putOff,
} from './rules.ts';
import { type Source, sources } from './source.ts';

/** What a rule finds and is let stand: the beginning of its message without the line, and why. */
const LET_STAND: Readonly<Record<string, string>> = {
  'src/manager/core.ts constructor has': 'it wires everything, and goes with the composition root',
  'src/domain/ledger/ended-leases.ts the file has': 'one description of a lease row makes it shorter',
  'src/engine/engine.ts the file has':
    'what follows the outcome of an append is a piece of its own that is not cut out yet',
  'test/eventstoredb/differential/dialogues.ts the file has': 'a list of dialogues, read one at a time',
  'src/cli/commands/allocate.ts ttl is':
    'flag --ttl takes text with a unit; commander hands on the parsed value under the name of the flag',
  'src/cli/commands/lease.ts ttl is': 'flag --ttl, likewise',
  'src/eventstore/sqlite/disk/first-page.ts a host: https://www.sqlite.org': 'the specification of the file format',
  'src/eventstore/sqlite/disk/tree.ts a host: https://www.sqlite.org': 'the specification of the file format',
  'src/eventstore/sqlite/disk/wal-frames.ts a host: https://www.sqlite.org': 'the specification of the file format',
};

const all = sources('src', 'test', 'bench', 'examples');
const src = all.filter(({ path }) => path.startsWith('src/'));
const core = src.filter(({ path }) => isCore(path));

const withoutLine = (message: string): string => message.replace(/:\d+ /, ' ');
const findings: string[] = [];
const broken = (found: readonly string[]): string[] => {
  findings.push(...found);
  return found.filter((message) => !Object.keys(LET_STAND).some((known) => withoutLine(message).startsWith(known)));
};
const file = (text: string, path = 'src/model/some.ts'): Source => ({ path, text });

describe('the rules of the house hold', () => {
  it('finds the files', () => expect(Math.min(src.length, core.length)).toBeGreaterThan(50));
  it('no function over 60 lines', () => expect(broken(src.flatMap((each) => longFunctions(each, 60)))).toEqual([]));
  it('no file over 400 lines', () => expect(broken(all.flatMap((each) => longFile(each, 400)))).toEqual([]));
  it('no folder over 20 files', () => {
    expect(
      broken(
        fullFolders(
          all.map(({ path }) => path),
          20,
        ),
      ),
    ).toEqual([]);
  });
  it('no clock and no random in the core', () => expect(broken(core.flatMap(clocksAndRandoms))).toEqual([]));
  it('every number of time says its unit', () => expect(broken(src.flatMap(numbersWithoutUnit))).toEqual([]));
  it('no work put off', () => expect(broken(all.flatMap(putOff))).toEqual([]));
  it('no path of one machine and no host', () => expect(broken(src.flatMap(pathsAndHosts))).toEqual([]));
  it('nothing is let stand that is mended', () => {
    const unused = Object.keys(LET_STAND).filter(
      (known) => !findings.some((message) => withoutLine(message).startsWith(known)),
    );
    expect(unused).toEqual([]);
  });
});

describe('each rule catches what breaks it', () => {
  it('a long function', () => {
    const text = `const a = 1;\nfunction long() {\n${'  a;\n'.repeat(59)}}\n`;
    expect(longFunctions(file(text), 60)).toEqual(['src/model/some.ts:2 long has 61 lines, more than 60']);
    expect(longFunctions(file(text), 61)).toEqual([]);
  });
  it('a long file', () => {
    expect(longFile(file('a;\n'.repeat(3)), 2)).toEqual(['src/model/some.ts:3 the file has 3 lines, more than 2']);
    expect(longFile(file('a;\n'.repeat(3)), 3)).toEqual([]);
  });
  it('a full folder', () => {
    expect(fullFolders(['a/b.ts', 'a/c.ts', 'a/d/e.ts'], 1)).toEqual(['a has 2 files, more than 1']);
  });
  it.each([
    'Date.now()',
    'new Date()',
    'Math.random()',
    'performance.now()',
    'crypto.randomUUID()',
    'setTimeout(f, 1)',
  ])('in the core: %s', (text) => {
    expect(clocksAndRandoms(file(`f();\nconst at = ${text};`)).join()).toMatch(
      /^src\/model\/some\.ts:2 .* in the core/,
    );
  });
  it('but not an instant that was given', () =>
    expect(clocksAndRandoms(file('new Date(at); // Date.now()'))).toEqual([]));
  it('the core is what it is', () => {
    expect(['src/machines/resume.ts', 'src/machines/live/a.ts', 'src/engine/a.ts'].map(isCore)).toEqual([
      true,
      false,
      false,
    ]);
  });
  it('a number without a unit', () => {
    expect(numbersWithoutUnit(file('interface A {\n  readonly renewDelay: number;\n  delayMs: number;\n}'))).toEqual([
      'src/model/some.ts:2 renewDelay is a number without a unit in its name',
    ]);
  });
  it('work put off', () => {
    expect(putOff(file(`a;\n// ${'TO'}DO later`))).toEqual([`src/model/some.ts:2 work put off: ${'TO'}DO`]);
  });
  it('a path or a host', () => {
    expect(
      pathsAndHosts(file("a;\nread('/home/me/x');\nget('https://db.internal.net/');\nget('http://localhost');")),
    ).toEqual([
      'src/model/some.ts:2 a path of one machine: /home/me',
      'src/model/some.ts:3 a host: https://db.internal.net',
    ]);
  });
});
