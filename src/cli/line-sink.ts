import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** False if the text could not be written, or not whole. */
type Write = (text: string) => boolean;

/**
 * Lines to a descriptor that is not ours to answer for: its disk may be full, its reader gone or stuck. A line that cannot be
 * written now is dropped and counted, and the count is said in front of the next that can be; nothing is thrown, and nobody waits.
 */
export class LineSink {
  readonly #write: Write;
  readonly #saying: (dropped: number) => string;
  #dropped = 0;

  /** `saying`: the line that tells how many were dropped. */
  constructor(fd: number, saying: (dropped: number) => string) {
    this.#write = writerTo(fd);
    this.#saying = saying;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** A whole line, with its end. */
  readonly write = (line: string): boolean => {
    const said = this.#dropped === 0 ? line : this.#saying(this.#dropped) + line;
    if (this.#write(said)) this.#dropped = 0;
    else this.#dropped += 1;
    return true;
  };
}

/** What was written of a line before its disk or pipe was full stands there: the next begins on a line of its own. */
function writerTo(fd: number): Write {
  const target = neverWaiting(fd);
  let isTorn = false;
  return (text) => {
    const bytes = Buffer.from(isTorn ? `\n${text}` : text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(target, bytes, written);
      isTorn = false;
      return true;
    } catch {
      isTorn ||= written > 0;
      return false;
    }
  };
}

/**
 * The descriptor, such that a write that would wait fails instead. A pipe or terminal is opened once more, so that whoever shares it
 * keeps it as it is. A socket cannot be: it is made so itself. A file never waits.
 */
function neverWaiting(fd: number): number {
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) settings.push(new Socket({ fd, readable: false, writable: true }).unref());
    if (stat.isFIFO() || stat.isCharacterDevice())
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // There is no such descriptor, or nobody reads it: then a write fails, too.
  }
  return fd;
}

/** Kept only: one that is collected would close its descriptor, which something else would get then. */
const settings: Socket[] = [];
