import { randomUUID } from 'node:crypto';
import type { Appender } from './appender.ts';
import { encode } from './codec.ts';
import type { Reader } from './reader.ts';
import { readBackwards } from './requests.ts';

/** What the server keeps of a stream, in its own words: `$maxCount`, `$maxAge` (seconds), `$tb` (first revision kept). */
export type StreamMetadata = Readonly<Record<string, unknown>>;

/** The metadata of a stream: the last event of the stream `$$NAME`. */
export class MetadataStreams {
  readonly #appender: Appender;
  readonly #reader: Reader;

  constructor(appender: Appender, reader: Reader) {
    this.#appender = appender;
    this.#reader = reader;
  }

  /** Undefined if it was never set. */
  async read(stream: string): Promise<StreamMetadata | undefined> {
    const last = this.#reader.pages(readBackwards(`$$${stream}`, 'end', 1), (message) => message.getData_asU8());
    for await (const page of last)
      if (page[0] !== undefined) return JSON.parse(Buffer.from(page[0]).toString()) as StreamMetadata;
    return undefined;
  }

  /** Sets these fields and keeps the others. */
  async merge(stream: string, fields: StreamMetadata): Promise<void> {
    const data = Buffer.from(JSON.stringify({ ...(await this.read(stream)), ...fields }));
    const event = encode(randomUUID(), '$metadata', 'application/json', data);
    const answer = await this.#appender.append(`$$${stream}`, [event], 'any');
    if (answer.kind === 'success') return;
    const cause = 'cause' in answer ? answer.cause : undefined;
    throw new Error(`the metadata of ${stream} could not be set`, { cause });
  }
}
