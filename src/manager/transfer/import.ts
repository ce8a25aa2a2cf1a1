import type { EventStore } from '../../model/event-store.ts';
import type { TransferProgress } from './export.ts';
import { streamName } from './export.ts';
import type { StreamKey } from './lines.ts';
import { readExport } from './read-export.ts';
import { StreamTarget } from './stream-target.ts';

export interface Imported {
  readonly events: number;
  readonly refusals: number;
  /** How many of them lay there already: of an import that was cut short, or that was done before. */
  readonly alreadyThere: number;
  /** SHA-256 of the canonical state that the pool's events fold to; the same as at the export. */
  readonly sha256: string;
}

/** Reads an export to its end and says what it holds, as `importLog` would, writing nothing. */
export async function verifyExport(lines: AsyncIterable<string>, poolId: string): Promise<Imported> {
  const events = readExport(lines, poolId);
  for (let next = await events.next(); ; next = await events.next())
    if (next.done) return { ...next.value, alreadyThere: 0 };
}

/**
 * Appends an exported log to a store, each event at the revision that it had, so that the pool goes on where it was. What the
 * store holds of it already is compared and passed over: an import that was cut short goes on by being begun again. A store
 * that holds anything else under the pool's name is left as it is (REVISION_MISMATCH, with the place).
 */
export async function importLog(
  store: EventStore,
  poolId: string,
  lines: AsyncIterable<string>,
  onProgress: (progress: TransferProgress) => void = () => {},
): Promise<Imported> {
  const targets: Partial<Record<StreamKey, StreamTarget>> = {};
  const targetOf = async (stream: StreamKey): Promise<StreamTarget> => {
    if (stream === 'audit') await targets.pool?.finish();
    targets[stream] = new StreamTarget(store, streamName(poolId, stream));
    return targets[stream];
  };
  const events = readExport(lines, poolId);
  let done = 0;
  for (let next = await events.next(); ; next = await events.next()) {
    if (next.done) {
      for (const target of Object.values(targets)) await target.finish();
      const alreadyThere = Object.values(targets).reduce((sum, target) => sum + target.alreadyThere, 0);
      return { ...next.value, alreadyThere };
    }
    const { stream, event, total } = next.value;
    await (targets[stream] ?? (await targetOf(stream))).add(event);
    done += 1;
    if (done % 256 === 0) onProgress({ events: done, total });
  }
}
