import type { EventLog } from '../log/event-log.ts';
import type { LogRecord } from '../log/record.ts';

/**
 * The records committed from `index` on, for ever: those there already, then each group as it comes. Ends on `signal`.
 */
export async function* committed(log: EventLog, index: number, signal: AbortSignal): AsyncGenerator<LogRecord[]> {
  let wake = () => {};
  const unsubscribe = log.onCommit(() => wake());
  const stop = () => wake();
  signal.addEventListener('abort', stop);
  try {
    for (let next = index; !signal.aborted; ) {
      const group = recordsFrom(log, next);
      next += group.length;
      if (group.length > 0) yield group;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', stop);
  }
}

const GROUP_COUNT = 1_024;

function recordsFrom(log: EventLog, index: number): LogRecord[] {
  const count = Math.min(log.size - index, GROUP_COUNT);
  return Array.from({ length: count }, (_, offset) => log.recordAt(index + offset));
}
