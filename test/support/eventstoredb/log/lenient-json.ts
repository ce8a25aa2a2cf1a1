/**
 * JSON as the server's library (Newtonsoft.Json) takes it: beside what RFC 8259 has, names without quotes, single
 * quotes, a comma before a closing bracket, and comments. Objects are Maps and integers are bigints, so that the order
 * of keys and 64 bits survive.
 */
export type Json = null | boolean | string | bigint | Float | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** A number that is no integer, kept apart because the server tells `1.0` from `1`. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A text's first value; `isWhole` says that nothing but white space and comments follows it. */
export interface ParsedJson {
  readonly value: Json;
  readonly hasComments: boolean;
  readonly isWhole: boolean;
}

/** Throws a SyntaxError for what the library cannot read. */
export function parseLenient(text: string): ParsedJson {
  const parser = new Parser(text);
  const value = parser.value();
  const { hasComments } = parser;
  return { value, hasComments, isWhole: parser.isAtEnd() };
}

const WORDS: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['true', true],
  ['false', false],
  ['null', null],
]);
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r' };

class Parser {
  readonly #text: string;
  #at = 0;
  hasComments = false;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Json {
    this.#skip();
    const next = this.#text[this.#at];
    if (next === '{') return this.#object();
    if (next === '[') return this.#array();
    if (next === '"' || next === "'") return this.#quoted();
    return wordOrNumber(this.#take(/[\w.+-]+/y) ?? this.#fail());
  }

  isAtEnd(): boolean {
    this.#skip();
    return this.#at === this.#text.length;
  }

  #object(): JsonObject {
    const object = new Map<string, Json>();
    this.#items('}', () => {
      const name = this.#name();
      this.#skip();
      if (!this.#accept(':')) this.#fail();
      object.set(name, this.value());
    });
    return object;
  }

  #array(): Json[] {
    const items: Json[] = [];
    this.#items(']', () => items.push(this.value()));
    return items;
  }

  #items(close: string, readItem: () => void): void {
    this.#at++;
    for (let isOpen = true; ; isOpen = this.#accept(',')) {
      this.#skip();
      if (this.#accept(close)) return;
      if (!isOpen) this.#fail();
      readItem();
      this.#skip();
    }
  }

  #name(): string {
    const next = this.#text[this.#at];
    return next === '"' || next === "'" ? this.#quoted() : (this.#take(/[\p{L}\p{Nd}_$]+/uy) ?? this.#fail());
  }

  #quoted(): string {
    const quote = this.#text[this.#at++];
    for (let text = ''; ; ) {
      const next = this.#text[this.#at++] ?? this.#fail();
      if (next === quote) return text;
      text += next === '\\' ? this.#escaped() : next;
    }
  }

  #escaped(): string {
    const next = this.#text[this.#at++] ?? this.#fail();
    if (next === 'u') return String.fromCharCode(Number.parseInt(this.#take(/[\da-f]{4}/iy) ?? this.#fail(), 16));
    return ESCAPES[next] ?? ('\\/"\''.includes(next) ? next : this.#fail());
  }

  #skip(): void {
    this.#take(/[\t-\r ]+/y);
    if (this.#take(/\/\*[\s\S]*?\*\/|\/\/[^\r\n]*/y) === undefined) return;
    this.hasComments = true;
    this.#skip();
  }

  #accept(character: string): boolean {
    const isThere = this.#text[this.#at] === character;
    if (isThere) this.#at++;
    return isThere;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #fail(): never {
    throw new SyntaxError(`no JSON at character ${this.#at}`);
  }
}

function wordOrNumber(text: string): Json {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (/^-?(0|[1-9]\d*)$/.test(text)) return BigInt(text);
  if (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return new Float(Number(text));
  throw new SyntaxError(`${text} is no number`);
}

/** As the library writes it, without white space. */
export function stringifyLenient(json: Json): string {
  if (json instanceof Float) return floatText(json.value);
  if (json instanceof Map) {
    return `{${[...json].map(([key, value]) => `${quoted(key)}:${stringifyLenient(value)}`).join(',')}}`;
  }
  if (Array.isArray(json)) return `[${json.map(stringifyLenient).join(',')}]`;
  return typeof json === 'string' ? quoted(json) : String(json);
}

const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /[\u0085\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** .NET's shortest text of a double, which always shows that it is one; with an exponent from 1E+15 on. */
function floatText(value: number): string {
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  if (value !== 0 && (Number(exponent) >= 15 || Number(exponent) < -5)) {
    return `${mantissa}E${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  }
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('.') ? text : `${text}.0`;
}
