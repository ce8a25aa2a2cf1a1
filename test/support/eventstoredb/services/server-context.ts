import { serverNotReady } from '../grpc/status.ts';
import type { LogStore } from '../log/log-store.ts';
import type { Writer } from '../write/writer.ts';

/** What every service needs. */
export interface ServerContext {
  readonly store: LogStore;
  readonly writer: Writer;
  /** False for a while after the start, if so wished: a real server listens before it can serve. */
  isReady(): boolean;
}

export function assertReady(context: ServerContext): void {
  if (!context.isReady()) throw serverNotReady();
}
