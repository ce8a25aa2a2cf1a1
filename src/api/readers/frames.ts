import type { RecordedEvent } from '../../model/events.ts';
import { toCloudEvent } from './cloud-event.ts';

/** An event as server-sent events write it, encoded. */
export interface Frame {
  readonly revision: number;
  readonly bytes: Buffer;
}

export const frameOf = (event: RecordedEvent): Frame => ({
  revision: event.revision,
  bytes: Buffer.from(`id: ${event.revision}\ndata: ${JSON.stringify(toCloudEvent(event))}\n\n`),
});

/** The piece that these make together. */
export const pieceOf = (frames: readonly Frame[]): Buffer =>
  frames.length === 1 ? frames[0]!.bytes : Buffer.concat(frames.map(({ bytes }) => bytes));
