import type { ServerResponse } from 'node:http';
import { PoolError } from '../../model/errors.ts';

/**
 * Runs a function once when a response is over: its client has taken it as a whole, or is gone. At once if it is over already, as
 * after a long read: 'close' is emitted once, and who listens later is never told.
 */
export function whenOver(response: ServerResponse, run: () => void): void {
  if (response.closed || response.destroyed) run();
  else response.once('close', run);
}

/** Aborts `controller` when the client of a response goes before it has taken it as a whole. */
export function abortWhenGone(response: ServerResponse, controller: AbortController): void {
  whenOver(response, () => {
    if (!response.writableFinished) controller.abort(gone());
  });
}

/** A signal that aborts when the client of a response goes before it has taken it as a whole. */
export function untilGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  abortWhenGone(response, controller);
  return controller.signal;
}

const gone = (): PoolError => new PoolError('CANCELLED', 'the client disconnected');
