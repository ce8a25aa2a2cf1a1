/**
 * .NET regular expressions as JavaScript's, for what is in use: inline options at the start, anchors, classes and their
 * subtraction, Unicode-aware `\w` `\d` `\s` `\b`, named groups in both spellings, comments. Not there: conditions,
 * balancing groups, `\G` anywhere but at the start, options that begin in the middle. An atomic group is taken for a
 * plain one.
 */

const WORD = '\\p{L}\\p{Mn}\\p{Nd}\\p{Pc}';
const START = '(?<![\\s\\S])';
const END = '(?![\\s\\S])';
const END_OR_LAST_NEWLINE = `(?=\\n?${END})`;

/** What stands for an escaped letter outside a class. */
const ESCAPES: Readonly<Record<string, string>> = {
  A: START,
  G: START,
  Z: END_OR_LAST_NEWLINE,
  z: END,
  b: `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`,
  B: `(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}]))`,
  w: `[${WORD}]`,
  W: `[^${WORD}]`,
};
const IN_CLASS: Readonly<Record<string, string>> = { w: WORD, W: `\\P{L}`, b: '\\x08' };
const IN_BOTH: Readonly<Record<string, string>> = { d: '\\p{Nd}', D: '\\P{Nd}', a: '\\x07', e: '\\x1b' };

/** One piece of a pattern: an escape, a construct in parentheses that needs care, a class, a quantifier, or one character. */
const PIECE =
  /\\(?:u[\da-f]{4}|x[\da-f]{2}|c.|p\{[^}]*\}|k<\w+>|[1-9]\d*|.)|\(\?#[^)]*\)|\(\?'\w+'|\(\?>|\[\^?\]?(?:\\.|[^\]\\])*?(?:-\[(?:\\.|[^\]\\])*\])?\]|\{\d+(?:,\d*)?\}|[\s\S]/giu;

/** Throws a SyntaxError for what is none, or cannot be told in JavaScript. */
export function dotNetRegex(source: string): RegExp {
  const [options = '', on = '', off = ''] = /^\(\?([imsnx]*)(?:-([imsnx]*))?\)/.exec(source) ?? [];
  const has = (option: string): boolean => on.includes(option) && !off.includes(option);
  const body = source
    .slice(options.length)
    .replace(PIECE, (piece) =>
      translated(piece, { isMultiline: has('m'), isSpaced: has('x'), isSingleLine: has('s') }),
    );
  return new RegExp(body, `v${has('i') ? 'i' : ''}${has('m') ? 'm' : ''}`);
}

interface Options {
  readonly isMultiline: boolean;
  readonly isSingleLine: boolean;
  /** White space in the pattern stands for nothing. */
  readonly isSpaced: boolean;
}

function translated(piece: string, { isMultiline, isSingleLine, isSpaced }: Options): string {
  if (piece === '\\') throw new SyntaxError('a pattern ends with a backslash');
  if (piece[0] === '\\') return escaped(piece, ESCAPES);
  if (piece[0] === '[' && piece.length > 1) return characterClass(piece);
  if (piece.startsWith('(?#')) return '';
  if (piece.startsWith("(?'")) return `(?<${piece.slice(3, -1)}>`;
  if (piece === '(?>') return '(?:';
  if (piece === '.') return isSingleLine ? '[\\s\\S]' : '[^\\n]';
  if (piece === '$' && !isMultiline) return END_OR_LAST_NEWLINE;
  if (isSpaced && /^\s$/.test(piece)) return '';
  return piece === ']' || piece === '{' || piece === '}' ? `\\${piece}` : piece;
}

/** An escaped sign is itself; escaped letters mean the same in both, unless they are listed. */
function escaped(piece: string, meanings: Readonly<Record<string, string>>): string {
  if (piece.length > 2) return piece;
  const [, letter = ''] = piece;
  const meaning = meanings[letter] ?? IN_BOTH[letter];
  if (meaning !== undefined) return meaning;
  return /[\w^$\\.*+?()[\]{}|/]/.test(letter) ? piece : literalInClass(letter, meanings);
}

const literalInClass = (sign: string, meanings: Readonly<Record<string, string>>): string =>
  meanings === IN_CLASS ? `\\u{${sign.codePointAt(0)!.toString(16)}}` : sign;

/** Signs that JavaScript's sets give a meaning of their own are written as code points. */
function characterClass(piece: string): string {
  const [, negation = '', members = '', subtracted] = /^\[(\^?)([\s\S]*?)(?:-\[([\s\S]*)\])?\]$/.exec(piece) ?? [];
  const set = `[${negation}${membersOf(members)}]`;
  return subtracted === undefined ? set : `[${set}--${characterClass(`[${subtracted}]`)}]`;
}

const membersOf = (members: string): string =>
  members
    .replace(/^-|-$/g, '\\-')
    .replace(/\\(?:u[\da-f]{4}|x[\da-f]{2}|c.|p\{[^}]*\}|.)|[^\w^-]/giu, (member) =>
      member[0] === '\\' ? escaped(member, IN_CLASS) : `\\u{${member.codePointAt(0)!.toString(16)}}`,
    );
