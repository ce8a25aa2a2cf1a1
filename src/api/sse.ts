import type { ServerResponse } from 'node:http';
import type { RecordedEvent } from '../model/events.ts';
import type { StreamItem } from '../model/reading.ts';
import { toCloudEvent } from './cloud-event.ts';
import { poolErrorOf, problemOf } from './problems.ts';

/** What may lie unsent for one reader. */
export interface Bounds {
  readonly events: number;
  readonly bytes: number;
}

export interface Source {
  /** History from a revision, or from the first that is kept, then live; without gap or duplicate. */
  readonly follow: (from: number | undefined, signal: AbortSignal) => AsyncIterable<StreamItem<RecordedEvent>>;
  readonly from: number | undefined;
}

/** One event is sent to many readers: its frame is made once. */
const frames = new WeakMap<RecordedEvent, string>();

function frameOf(event: RecordedEvent): string {
  let frame = frames.get(event);
  if (frame === undefined) {
    frame = `id: ${event.revision}\ndata: ${JSON.stringify(toCloudEvent(event))}\n\n`;
    frames.set(event, frame);
  }
  return frame;
}

/** The writing half: knows what of it has not left yet. */
class Sink {
  readonly #response: ServerResponse;
  #unsent = 0;
  readonly #sent = (): void => {
    this.#unsent -= 1;
  };

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(frame: string): void {
    this.#unsent += 1;
    this.#response.write(frame, this.#sent);
  }

  isOver(bounds: Bounds): boolean {
    return this.#unsent > bounds.events || this.#response.writableLength > bounds.bytes;
  }

  /** At once unless the reader is behind; then when it has taken what was written, or is gone. */
  drained(): Promise<void> | undefined {
    const response = this.#response;
    if (!response.writableNeedDrain || response.destroyed) return undefined;
    return new Promise((resolve) => {
      const settle = () => {
        response.off('drain', settle).off('close', settle);
        resolve();
      };
      response.on('drain', settle).on('close', settle);
    });
  }
}

/**
 * Writes a log as server-sent events until it ends or `gone` aborts. History goes at the reader's pace. A live reader
 * that falls behind its bounds is not dropped: its subscription ends, and when it has taken what lies unsent it reads
 * on from the log, after the last event written.
 */
export async function streamEvents(
  response: ServerResponse,
  source: Source,
  bounds: Bounds,
  gone: AbortSignal,
): Promise<void> {
  const sink = new Sink(response);
  sink.write('retry: 1000\n\n');
  let from = source.from;
  try {
    while (!gone.aborted) {
      from = await followUntilBehind(sink, source, from, bounds, gone);
      await sink.drained();
      if (from === undefined) break;
    }
    if (!gone.aborted) sink.write('event: end\ndata: {}\n\n');
  } catch (error) {
    if (!gone.aborted) sink.write(`event: error\ndata: ${JSON.stringify(problemOf(poolErrorOf(error)))}\n\n`);
  }
  response.end();
}

/** The revision to go on from once the reader has caught up; undefined if the log ended. */
async function followUntilBehind(
  sink: Sink,
  source: Source,
  from: number | undefined,
  bounds: Bounds,
  gone: AbortSignal,
): Promise<number | undefined> {
  let live = false;
  let next = from ?? 0;
  for await (const item of source.follow(from, gone)) {
    if (gone.aborted) return undefined;
    if ('caughtUp' in item) {
      live = true;
      sink.write(`event: caughtUp\ndata: {"next":${next}}\n\n`);
      continue;
    }
    sink.write(frameOf(item.event));
    next = item.event.revision + 1;
    if (!live) await sink.drained();
    else if (sink.isOver(bounds)) return next;
  }
  return undefined;
}
