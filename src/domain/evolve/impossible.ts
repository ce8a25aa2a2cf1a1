import type { RecordedPoolEvent } from '../../model/events.ts';

/** The log says what cannot have been decided: a bug, or damage. Nobody may go on from here. */
export class ImpossibleHistory extends Error {
  constructor(event: Pick<RecordedPoolEvent, 'stream' | 'revision' | 'type'>, why: string, cause?: unknown) {
    super(`${event.stream}@${event.revision} ${event.type}: ${why}`, cause === undefined ? undefined : { cause });
    this.name = 'ImpossibleHistory';
  }
}
