/** The gRPC status codes that the server answers with (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const StatusCode = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  unavailable: 14,
} as const;

/** A call that ends with this status; `trailers` are sent beside it. */
export class StatusError extends Error {
  readonly code: number;
  readonly trailers: Readonly<Record<string, string>>;

  constructor(code: number, details: string, trailers: Readonly<Record<string, string>> = {}) {
    super(details);
    this.code = code;
    this.trailers = trailers;
  }
}

/**
 * A request that a .NET handler chokes on. The text is that of the exception; a BatchAppend answer shows it, every
 * other call ends UNKNOWN with the one text that ASP.NET has for all of them.
 */
export class HandlerException extends Error {}

const HANDLER_FAILED = 'Exception was thrown by handler.';

/** Any thrown value as the status its call ends with; what is neither of the above is a bug and is printed. */
export function toStatus(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (!(error instanceof HandlerException)) console.error(error);
  return new StatusError(StatusCode.unknown, HANDLER_FAILED);
}

export const invalidArgument = (value: string, type: string): StatusError =>
  new StatusError(StatusCode.invalidArgument, `'${value}' is not a valid EventStore.Client.Streams.${type}`);

export const streamDeleted = (stream: string): StatusError =>
  new StatusError(StatusCode.failedPrecondition, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });

/** Delete and Tombstone both call themselves "Delete". Versions are texts: they are 64 bits wide. */
export const deleteWrongExpectedVersion = (stream: string, expected: string, actual: string): StatusError =>
  new StatusError(
    StatusCode.failedPrecondition,
    `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${expected}, Actual version: ${actual}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': expected,
      'actual-version': actual,
    },
  );

export const requiredMetadataMissing = (property: string): StatusError =>
  new StatusError(StatusCode.invalidArgument, `Required Metadata Property '${property}' is missing`, {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': 'type,content-type',
  });

export const maximumAppendSizeExceeded = (maxBytes: number): StatusError =>
  new StatusError(StatusCode.invalidArgument, `Maximum Append Size of ${maxBytes} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(maxBytes),
  });

export const commitTimeout = (): StatusError =>
  new StatusError(StatusCode.aborted, 'Operation timed out: Commit phase timeout.');

export const invalidPosition = (): StatusError =>
  new StatusError(StatusCode.invalidArgument, 'Trying to read from an invalid position.');

/** `result` is one of the server's read results, as in "Unexpected ReadStreamResult: Error". */
export const unexpectedResult = (result: string): StatusError =>
  new StatusError(StatusCode.unknown, `Unexpected ${result}`);

export const serverNotReady = (): StatusError => new StatusError(StatusCode.unavailable, 'Server Is Not Ready');

/** Beside the leader's address as trailers (RpcExceptions.cs of the server's source). */
export const notLeader = (host: string, port: number): StatusError =>
  new StatusError(StatusCode.notFound, 'Leader info available', {
    exception: 'not-leader',
    'leader-endpoint-host': host,
    'leader-endpoint-port': String(port),
  });

export const NO_LEADER_INFO = 'No leader info available in response';

export const noLeaderInfo = (): StatusError => new StatusError(StatusCode.unknown, NO_LEADER_INFO);
