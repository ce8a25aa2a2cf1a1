import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseAst } from 'rolldown/parseAst';

/** A file of the project as the rules read it: its path from the project's root, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** A node of the syntax tree; its other fields depend on its type. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** The TypeScript files that git knows or would add, under the given folders. */
export const sources = (...folders: readonly string[]): Source[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '--', ...folders], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => {
      try {
        return [{ path, text: readFileSync(path, 'utf8') }];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // deleted, and not yet in the index
        throw error;
      }
    });

const starts = new WeakMap<Source, readonly number[]>();

/** The line, from 1, of a position in the file's text. */
export const lineAt = (source: Source, position: number): number => {
  let at = starts.get(source);
  if (at === undefined) {
    at = [0, ...Array.from(source.text.matchAll(/\n/g), (match) => match.index + 1)];
    starts.set(source, at);
  }
  let low = 0;
  let high = at.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at[middle]! <= position) low = middle;
    else high = middle;
  }
  return low + 1;
};

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

const trees = new WeakMap<Source, Node>();

const treeOf = (source: Source): Node => {
  const known = trees.get(source);
  if (known !== undefined) return known;
  const tree = parseAst(source.text, { lang: 'ts' }) as unknown as Node;
  trees.set(source, tree);
  return tree;
};

/** Shows every node of a file with the one it stands in; throws the parser's error for a text that is not TypeScript. */
export const walk = (source: Source, see: (node: Node, parent: Node | undefined) => void): void => {
  const visit = (node: Node, parent: Node | undefined): void => {
    see(node, parent);
    for (const field in node) {
      const value = node[field];
      if (Array.isArray(value)) {
        for (const child of value) if (isNode(child)) visit(child, node);
      } else if (isNode(value)) visit(value, node);
    }
  };
  visit(treeOf(source), undefined);
};
