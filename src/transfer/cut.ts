import { PoolError } from '../model/errors.ts';
import type { ExportCut } from './export.ts';
import { type ExportHeader, LineReader } from './lines.ts';

/** How much of an export's text is good: so many bytes, and where to go on. `whole`: it has its end, nothing is left to do. */
export type GoodPart =
  | { readonly whole: true; readonly bytes: number }
  | { readonly whole: false; readonly bytes: number; readonly after: ExportCut | undefined };

/** Looks how far an export got that may have been cut short, at any byte. Throws INVALID_REQUEST if it is one of another pool. */
export async function goodPart(lines: AsyncIterable<string>, poolId: string): Promise<GoodPart> {
  const reader = new LineReader();
  let header: ExportHeader | undefined;
  let after: ExportCut | undefined;
  let bytes = 0;
  for await (const line of lines) {
    const record = reader.tryRecord(line);
    if (record === undefined) break;
    bytes += Buffer.byteLength(line);
    if ('end' in record) return { whole: true, bytes };
    if ('header' in record) header = ofPool(record.header, poolId);
    if (header === undefined) break;
    const reached = 'event' in record ? { stream: record.stream, revision: record.event.revision } : NOTHING_YET;
    after = { header, ...reached, chain: reader.chain };
  }
  return { whole: false, bytes: after === undefined ? 0 : bytes, after };
}

const NOTHING_YET = { stream: 'pool', revision: -1 } as const;

function ofPool(header: ExportHeader, poolId: string): ExportHeader {
  if (header.poolId === poolId) return header;
  throw new PoolError('INVALID_REQUEST', `the file holds an export of pool ${header.poolId}, not of ${poolId}`);
}
