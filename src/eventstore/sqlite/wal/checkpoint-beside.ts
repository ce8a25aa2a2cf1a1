import { Worker } from 'node:worker_threads';

/** What `PRAGMA wal_checkpoint` answers. */
export interface Counted {
  readonly busy: number;
  /** Frames in the write-ahead log, and those of them that lie in the file. */
  readonly log: number;
  readonly checkpointed: number;
}

/** As text, so that it is one with this file however the package is built. The connection is not the last one, and so does nothing when it closes. */
const WORK = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const db = new DatabaseSync(workerData.path, { timeout: 50 });
  try {
    db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
    parentPort.postMessage({ counted: { ...db.prepare('PRAGMA wal_checkpoint(' + workerData.mode + ')').get() } });
  } catch ({ message, errcode }) {
    parentPort.postMessage({ failed: { message, errcode } });
  } finally {
    db.close();
  }`;

type Said =
  | { readonly counted: Counted }
  | { readonly failed: { readonly message: string; readonly errcode?: number } };

/**
 * A checkpoint in a thread of its own: of a write-ahead log that has grown large it takes seconds, in which this thread appends and
 * answers on. Rejects with what sqlite says, its `errcode` with it.
 */
export function checkpointBeside(path: string, mode: 'PASSIVE' | 'TRUNCATE'): Promise<Counted> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORK, { eval: true, workerData: { path, mode }, execArgv: [] });
    worker.once('message', (said: Said) => {
      if ('counted' in said) resolve(said.counted);
      else reject(Object.assign(new Error(said.failed.message), { errcode: said.failed.errcode }));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread of a checkpoint ended without a word')));
  });
}
