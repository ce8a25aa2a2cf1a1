import { convertToCommandError, ErrorType } from '@eventstore/db-client';
import { PoolError } from '../../model/errors.ts';
import { DamagedLogError } from '../errors.ts';
import { type BatchError, WrongExpectedVersion } from './messages.ts';

/** What became of one batch that was to be appended. */
export type Answer =
  | { readonly kind: 'success'; readonly revision: number }
  | { readonly kind: 'wrongRevision'; readonly revision: number }
  /** A definite no: nothing of it was written. `retryable`: nothing of it was even sent. */
  | { readonly kind: 'refused'; readonly cause: unknown; readonly retryable: boolean }
  | { readonly kind: 'unknown'; readonly cause: unknown };

const DEFINITE: ReadonlySet<string> = new Set([
  ErrorType.ACCESS_DENIED,
  ErrorType.INVALID_ARGUMENT,
  ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED,
  ErrorType.STREAM_DELETED,
]);

/** gRPC statuses of a call that the server has not carried out: a wrong message, one too large, an unknown method, no access. */
const NOT_CARRIED_OUT: ReadonlySet<number> = new Set([3, 7, 8, 12, 16]);

/**
 * The call that carried the batch has failed. Unless the server says that it did not carry it out, nobody knows
 * (RELIABILITY, "Append, outcome unknown"): that goes for time-outs, lost connections, cancellations and what is not known here.
 * A status of the call speaks of its last message: with more in flight it says nothing of any one of them.
 */
export function answerOfBrokenCall(error: Error, inFlight: number): Answer {
  const cause = convertToCommandError(error);
  const { type, code } = cause as { type?: string; code?: number };
  const definite = inFlight === 1 && (DEFINITE.has(type ?? '') || NOT_CARRIED_OUT.has(code ?? 0));
  return definite ? { kind: 'refused', cause, retryable: false } : { kind: 'unknown', cause };
}

/** The answer says what is wrong with this batch by the type of its details. */
export function answerOfError(error: BatchError): Answer {
  const details = error.getDetails();
  const type = (details?.getTypeName() ?? '').replace('event_store.client.', '');
  const cause = new Error(`EventStoreDB: ${type === '' ? 'no details' : type} (${error.getMessage()})`);
  switch (type) {
    case 'WrongExpectedVersion': {
      const wrong = WrongExpectedVersion.deserializeBinary(details!.getValue_asU8());
      return {
        kind: 'wrongRevision',
        revision: wrong.hasCurrentStreamRevision() ? Number(wrong.getCurrentStreamRevision()) : -1,
      };
    }
    case 'AccessDenied':
    case 'BadRequest':
    case 'InvalidArgument':
    case 'MaximumAppendSizeExceeded':
    case 'StreamDeleted':
      return { kind: 'refused', cause, retryable: false };
    default:
      return { kind: 'unknown', cause };
  }
}

/** Why a read or a subscription failed: LOG_UNAVAILABLE where it may succeed later, DamagedLogError for a tombstone. */
export function readError(shown: string, error: unknown): Error {
  if (!(error instanceof Error)) return new PoolError('LOG_UNAVAILABLE', `${shown} cannot be read: ${error}`);
  const cause = convertToCommandError(error);
  const { type } = cause as { type?: string };
  if (type === ErrorType.ACCESS_DENIED)
    return new PoolError('INVALID_CONFIG', `store: ${shown} denies access; user and password belong into the URL`, {
      cause,
    });
  if (type === ErrorType.STREAM_DELETED) {
    const { streamName = '' } = cause as { streamName?: string };
    return new DamagedLogError(streamName, 'the stream has been tombstoned');
  }
  return new PoolError(
    'LOG_UNAVAILABLE',
    `${shown} cannot be read: ${cause.message.replace(/ Resolution note:.*/s, '')}`,
    { cause },
  );
}
