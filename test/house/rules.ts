import { dirname } from 'node:path';
import { lineAt, type Node, type Source, walk } from './source.ts';

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** Functions longer than the given number of lines. */
export const longFunctions = (source: Source, most: number): string[] => {
  const found: string[] = [];
  walk(source, (node, parent) => {
    if (!FUNCTIONS.has(node.type)) return;
    const first = lineAt(source, node.start);
    const lines = lineAt(source, node.end) - first + 1;
    if (lines <= most) return;
    const named = [node, parent].map((each) => (each?.['id'] ?? each?.['key']) as Node | null | undefined);
    const name = named.find((each) => each?.['name'] !== undefined)?.['name'] ?? 'a function';
    found.push(`${source.path}:${first} ${name} has ${lines} lines, more than ${most}`);
  });
  return found;
};

/** The file, where it is longer than the given number of lines. */
export const longFile = ({ path, text }: Source, most: number): string[] => {
  const lines = text.replace(/\n$/, '').split('\n').length;
  return lines > most ? [`${path}:${most + 1} the file has ${lines} lines, more than ${most}`] : [];
};

/** Folders that hold more files side by side than the given number. */
export const fullFolders = (paths: readonly string[], most: number): string[] => {
  const count = new Map<string, number>();
  for (const path of paths) count.set(dirname(path), (count.get(dirname(path)) ?? 0) + 1);
  return [...count]
    .filter(([, files]) => files > most)
    .map(([folder, files]) => `${folder} has ${files} files, more than ${most}`);
};

/** Whether a file belongs to the core, which is told the time and draws no random number. */
export const isCore = (path: string): boolean =>
  /^src\/(model|domain|projections|replay|machines(?!\/live\/))\//.test(path);

const IMPURE_GLOBALS = new Set(['performance', 'crypto', 'setTimeout', 'setInterval', 'setImmediate']);

/** Clocks, timers and random numbers; `new Date(x)` of a given instant is none. */
export const clocksAndRandoms = (source: Source): string[] => {
  const found: string[] = [];
  walk(source, (node) => {
    const say = (what: string) => found.push(`${source.path}:${lineAt(source, node.start)} ${what} in the core`);
    const spelled = source.text.slice(node.start, node.end);
    if (node.type === 'MemberExpression' && /^(Date\s*\.\s*now|Math\s*\.\s*random)$/.test(spelled)) say(spelled);
    else if (node.type === 'NewExpression' && /^new Date(\(\s*\))?$/.test(spelled)) say(spelled);
    else if (
      (node.type === 'CallExpression' || node.type === 'MemberExpression') &&
      IMPURE_GLOBALS.has(((node['callee'] ?? node['object']) as Node)['name'] as string)
    )
      say(spelled.split('\n')[0] ?? spelled);
  });
  return found;
};

const QUANTITY =
  /^(timeout|delay|interval|duration|elapsed|age|ttl|backoff|period|latency)$|(Timeout|Delay|Interval|Duration|Elapsed|Age|Ttl|Backoff|Period|Latency)$/;

/** Fields of type `number` that are named as a time and do not say its unit (`delayMs`, `ttlSeconds`). */
export const numbersWithoutUnit = (source: Source): string[] => {
  const found: string[] = [];
  walk(source, (node) => {
    if (node.type !== 'TSPropertySignature' && node.type !== 'PropertyDefinition') return;
    const type = (node['typeAnnotation'] as Node | null | undefined)?.['typeAnnotation'] as Node | undefined;
    const name = (node['key'] as Node)['name'];
    if (type?.type !== 'TSNumberKeyword' || typeof name !== 'string' || !QUANTITY.test(name)) return;
    found.push(`${source.path}:${lineAt(source, node.start)} ${name} is a number without a unit in its name`);
  });
  return found;
};

/** Lines that match, each with what it is. */
const linesWith = ({ path, text }: Source, pattern: RegExp, what: string): string[] =>
  text.split('\n').flatMap((line, at) => {
    const match = pattern.exec(line);
    return match === null ? [] : [`${path}:${at + 1} ${what}: ${match[0]}`];
  });

/** Marks of work that was put off. */
export const putOff = (source: Source): string[] =>
  linesWith(source, /\b(?:TO[D]O|FIXM[E]|XX[X]|HAC[K])\b/, 'work put off');

/** Paths of one machine, and hosts that are neither this machine nor an example. */
export const pathsAndHosts = (source: Source): string[] => [
  ...linesWith(source, /(?<![\w.*])\/(?:home|work|root|Users|tmp|mnt|opt)\/[\w.-]+/, 'a path of one machine'),
  ...linesWith(
    source,
    /\b[a-z][a-z+]*:\/\/(?!localhost\b|127\.|0\.0\.0\.0|\[::|[\w.-]*\bexample\b|[\w.-]+\.(?:test|invalid)\b)[a-z0-9-]+(?:\.[a-z0-9-]+)+/i,
    'a host',
  ),
];
