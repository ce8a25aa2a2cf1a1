import { floorAbove, floorRaised } from '../eventstore/token-floor.ts';
import type { EventStore } from '../model/event-store.ts';
import { systemClock } from '../time/system-clock.ts';
import type { TransferProgress } from './export.ts';
import { streamName } from './export.ts';
import type { StreamKey } from './lines.ts';
import { readExport, type WholeExport } from './read-export.ts';
import { StreamTarget } from './stream-target.ts';

export interface Imported {
  readonly events: number;
  readonly refusals: number;
  /** How many of them lay there already: of an import that was cut short, or that was done before. */
  readonly alreadyThere: number;
  /** SHA-256 of the canonical state that the pool's events fold to; the same as at the export. */
  readonly sha256: string;
  /** The highest token of the exported events. */
  readonly lastToken: number;
  /** The same, or the token floor that a copy which was never served was to begin above, as its export says. */
  readonly ruledOut: number;
  /** No token up to this one is given where the pool goes on; null = nothing was written. */
  readonly tokenFloor: number | null;
}

export interface ImportOptions {
  /** Default: far above every token of the export, whose origin may have gone on. */
  readonly tokenFloor?: number;
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** Reads an export to its end and says what it holds, as `importLog` would, writing nothing. */
export async function verifyExport(lines: AsyncIterable<string>, poolId: string): Promise<Imported> {
  const events = readExport(lines, poolId);
  for (let next = await events.next(); ; next = await events.next())
    if (next.done) return imported(next.value, 0, null);
}

/**
 * Appends an exported log to a store, each event at the revision that it had, so that the pool goes on where it was. What the
 * store holds of it already is compared and passed over: an import that was cut short goes on by being begun again. A store
 * that holds anything else under the pool's name is left as it is (REVISION_MISMATCH, with the place). At last the token floor is raised,
 * once, above what the origin may have given since.
 */
export async function importLog(
  store: EventStore,
  poolId: string,
  lines: AsyncIterable<string>,
  { tokenFloor, onProgress = () => {} }: ImportOptions = {},
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
      const floor = await raiseFloor(targets.pool!, next.value, tokenFloor);
      const alreadyThere = Object.values(targets).reduce((sum, target) => sum + target.alreadyThere, 0);
      return imported(next.value, alreadyThere, floor);
    }
    const { stream, event, total } = next.value;
    await (targets[stream] ?? (await targetOf(stream))).add(event);
    done += 1;
    if (done % 256 === 0) onProgress({ events: done, total });
  }
}

/** The floor that an earlier import has raised stands, unless a higher one is asked for. */
async function raiseFloor(
  target: StreamTarget,
  { ruledOut, at }: WholeExport,
  asked: number | undefined,
): Promise<number> {
  const { floorThere } = target;
  if (floorThere !== undefined && Math.max(ruledOut, asked ?? 0) <= floorThere) return floorThere;
  const floor = floorAbove(Math.max(ruledOut, floorThere ?? 0), asked);
  await target.append(floorRaised({ floor, reason: 'imported', fileId: null }, Math.max(at, systemClock.now())));
  return floor;
}

const imported = ({ at: _, ...end }: WholeExport, alreadyThere: number, tokenFloor: number | null): Imported => ({
  ...end,
  alreadyThere,
  tokenFloor,
});
