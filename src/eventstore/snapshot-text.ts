import { createHash } from 'node:crypto';
import { nextTurn, readersTurn } from '../time/turn.ts';

const NEWLINE = 10;
/** Hashed at once, bytes; takes about a millisecond. */
const HASHED_AT_ONCE = 512 * 1024;

/** Each value as a line of JSON, in a turn of the event loop of its own. */
export async function* jsonLines(values: Iterable<unknown>): AsyncGenerator<Buffer> {
  for (const value of values) {
    await readersTurn();
    yield Buffer.from(`${JSON.stringify(value)}\n`);
  }
}

/** The values of lines that `jsonLines` gave, each read in a turn of its own. */
export async function parseLines(text: Buffer): Promise<unknown[]> {
  const values: unknown[] = [];
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf(NEWLINE, at);
    const end = found < 0 ? text.length : found;
    values.push(JSON.parse(text.toString('utf8', at, end)));
    at = end + 1;
    await nextTurn();
  }
  return values;
}

/** In hexadecimal; a piece in each turn of the event loop. */
export async function sha256InTurns(bytes: Buffer): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) {
    hash.update(bytes.subarray(at, at + HASHED_AT_ONCE));
    await nextTurn();
  }
  return hash.digest('hex');
}
