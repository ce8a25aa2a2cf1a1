import { isPoolError } from '../../src/model/errors.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { CheckedLog } from './checked-log.ts';
import type { Member } from './member.ts';

export type CallKind = 'allocate' | 'release' | 'renew' | 'revoke' | 'cancel' | 'tier' | 'configure' | 'drain';

/** What a caller was told. */
export type Ending =
  | { readonly kind: 'granted'; readonly leaseId: string; readonly token: number; readonly replayed: boolean }
  | { readonly kind: 'queued'; readonly leaseId: string }
  | { readonly kind: 'refused'; readonly code: string; readonly decisionId: string }
  | { readonly kind: 'done'; readonly replayed: boolean }
  | { readonly kind: 'failed'; readonly code: string }
  | { readonly kind: 'aborted' };

/** One call of one caller, from the door to its end. */
export interface Call {
  readonly actor: string;
  readonly kind: CallKind;
  readonly member: Member;
  /** Of the lease it acts on. */
  readonly leaseId?: string;
  readonly requestId?: string;
  /** A key, or `respond-async`, lets its request outlive its caller. */
  readonly stands?: boolean;
  readonly stop?: AbortController;
  ending: Ending | undefined;
}

export function endingOf(error: unknown): Ending {
  if (isPoolError(error)) {
    const decisionId = error.details['decisionId'];
    return typeof decisionId === 'string'
      ? { kind: 'refused', code: error.code, decisionId }
      : { kind: 'failed', code: error.code };
  }
  return error instanceof DOMException && error.name === 'AbortError'
    ? { kind: 'aborted' }
    : { kind: 'failed', code: `unexpected ${String(error)}` };
}

/** Says that nothing was done. */
const NOTHING_DONE = new Set([
  'LOG_UNAVAILABLE',
  'OVERLOADED',
  'INVALID_REQUEST',
  'INVALID_CONFIG',
  'PAYLOAD_TOO_LARGE',
]);
/** The manager closed: an allocate that waited may have been queued by then. */
const CLOSED = new Set(['DRAINING']);
/** What any command that is no refusal may set off besides: loads are judged, waiters are looked at. */
const REACTIONS = ['TierModeChanged', 'LeaseGranted'];
const UNCERTAIN = new Set(['OUTCOME_UNKNOWN']);

/** What is wrong with what a caller was told at the moment it was told; undefined = nothing. */
export function wrongAtOnce({ ending }: Call, log: CheckedLog): string | undefined {
  if (ending?.kind !== 'granted') return undefined;
  const granted = log.grants.get(ending.leaseId);
  if (granted === undefined) return `told of lease ${ending.leaseId}, which the log does not hold`;
  return granted.token === ending.token ? undefined : `told token ${ending.token}, the log holds ${granted.token}`;
}

/** What is wrong with how the log came out for a call, at the end of a world; undefined = nothing. */
export function verdictOn(call: Call, log: CheckedLog): string | undefined {
  const { ending } = call;
  const caused = log.byActor.get(call.actor) ?? [];
  if (ending === undefined || ending.kind === 'aborted' || ending.kind === 'granted') return undefined;
  if (ending.kind === 'queued') return expectOne(caused, 'RequestQueued');
  if (ending.kind === 'done') return ending.replayed ? expectNothingBut(caused, REACTIONS) : done(call, caused);
  if (ending.kind === 'refused') return refused(ending, caused);
  if (UNCERTAIN.has(ending.code)) return undefined;
  if (CLOSED.has(ending.code)) return expectNothingBut(caused, ['RequestQueued', 'RequestCancelled', ...REACTIONS]);
  if (NOTHING_DONE.has(ending.code)) return expectNone(caused);
  return `was told ${ending.code}`;
}

function done(call: Call, caused: readonly RecordedPoolEvent[]): string | undefined {
  if (call.kind === 'release') return expectOne(caused, 'LeaseReleased');
  if (call.kind === 'renew') return expectOne(caused, 'LeasesRenewed');
  if (call.kind === 'cancel') return expectOne(caused, 'RequestCancelled');
  return undefined;
}

/** A refusal changes nothing; one of a request that had waited comes with the end of its wait. */
function refused({ decisionId }: { decisionId: string }, caused: readonly RecordedPoolEvent[]): string | undefined {
  const waited = caused.some((event) => event.type === 'RequestQueued' && event.data.leaseId === decisionId);
  return waited ? undefined : expectNone(caused);
}

const list = (caused: readonly RecordedPoolEvent[]): string =>
  caused.map(({ type, revision }) => `${type}@${revision}`).join(', ') || 'nothing';

function expectNone(caused: readonly RecordedPoolEvent[]): string | undefined {
  return caused.length === 0 ? undefined : `nothing was to be done, the log holds ${list(caused)}`;
}

function expectOne(caused: readonly RecordedPoolEvent[], type: RecordedPoolEvent['type']): string | undefined {
  const found = caused.filter((event) => event.type === type).length;
  return found >= 1 ? undefined : `was done, the log holds ${list(caused)} instead of ${type}`;
}

function expectNothingBut(caused: readonly RecordedPoolEvent[], types: readonly string[]): string | undefined {
  const other = caused.filter(({ type }) => !types.includes(type));
  return other.length === 0 ? undefined : `nothing was to be done, the log holds ${list(other)}`;
}
