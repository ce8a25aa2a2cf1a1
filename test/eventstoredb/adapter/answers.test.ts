import { afterEach, describe, expect, it } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { type EventStore, NO_STREAM } from '../../../src/model/event-store.ts';
import { events, freshStream, readBack } from '../../eventstore/fixture.ts';
import { StatusError } from '../../support/eventstoredb/grpc/status.ts';
import { startEventStoreDb } from '../../support/eventstoredb/start.ts';
import { DETAILS, eventWithId, refusal, startFakeServer, success, withStructuredId } from '../fake-server.ts';

type OnBatch = Parameters<typeof startFakeServer>[0];

type OnRead = Parameters<typeof startFakeServer>[1];

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function storeThatHears(onBatch: OnBatch, query = '', onRead?: OnRead): Promise<EventStore> {
  const server = await startFakeServer(onBatch, onRead);
  const store = await openEventStore(`${server.url}${query}`);
  ends.push(server.stop, () => store.close());
  return store;
}

/** The end of the append of one event to an empty stream, with what the server answered it. */
const outcomeOf = async (onBatch: OnBatch) =>
  (await storeThatHears(onBatch)).append(freshStream(), events(1), NO_STREAM);

describe('an append is answered', () => {
  it.each([
    ['Timeout', 'unknown'],
    ['Unknown', 'unknown'],
    ['NeverHeardOf', 'unknown'],
    ['AccessDenied', 'failed'],
    ['BadRequest', 'failed'],
    ['MaximumAppendSizeExceeded', 'failed'],
    ['StreamDeleted', 'failed'],
  ] as const)('%s: %s', async (type, outcome) => {
    const result = await outcomeOf((batch, call) => call.write(refusal(batch, type, DETAILS[type])));
    expect(result).toMatchObject(outcome === 'failed' ? { outcome, retryable: false } : { outcome });
  });

  it.each([
    [1, 'CANCELLED', 'unknown'],
    [2, 'UNKNOWN', 'unknown'],
    [3, 'INVALID_ARGUMENT', 'failed'],
    [4, 'DEADLINE_EXCEEDED', 'unknown'],
    [5, 'NOT_FOUND', 'unknown'],
    [7, 'PERMISSION_DENIED', 'failed'],
    [8, 'RESOURCE_EXHAUSTED', 'failed'],
    [9, 'FAILED_PRECONDITION', 'unknown'],
    [10, 'ABORTED', 'unknown'],
    [12, 'UNIMPLEMENTED', 'failed'],
    [13, 'INTERNAL', 'unknown'],
    [14, 'UNAVAILABLE', 'unknown'],
    [16, 'UNAUTHENTICATED', 'failed'],
  ])('by status %i %s of the call: %s', async (code, name, outcome) => {
    const result = await outcomeOf((_, call) => call.end(new StatusError(code, name)));
    expect(result).toMatchObject({ outcome });
  });

  it('by a status of the call with another append in flight: nobody knows of either', async () => {
    let batches = 0;
    const store = await storeThatHears((_, call) => {
      batches += 1;
      if (batches === 2) call.end(new StatusError(8, 'too large'));
    });
    const two = [freshStream(), freshStream()].map((stream) => store.append(stream, events(1), NO_STREAM));
    for (const result of await Promise.all(two)) expect(result.outcome).toBe('unknown');
  });

  it('by the end of the call without an answer: unknown', async () => {
    expect(await outcomeOf((_, call) => call.end())).toMatchObject({ outcome: 'unknown' });
  });

  it('by silence of a server that is alive: unknown, after the time of its own, and the next one has a call of its own', async () => {
    const seen: unknown[] = [];
    const store = await storeThatHears((batch, call) => {
      seen.push(call);
      if (seen.length === 2) call.write(success(batch, 0));
    }, '&defaultDeadline=200');
    const batch = events(1);
    const stream = freshStream();
    expect(await store.append(stream, batch, NO_STREAM)).toMatchObject({ outcome: 'unknown' });
    expect(await store.append(stream, batch, NO_STREAM)).toEqual({ outcome: 'appended', revision: 0 });
    expect(seen[0]).not.toBe(seen[1]);
  });

  it('twice: the second answer is ignored', async () => {
    const store = await storeThatHears((batch, call) => {
      call.write(success(batch, 0));
      call.write(refusal(batch, 'Timeout', DETAILS.Timeout));
      call.write(refusal(withStructuredId(batch), 'Timeout', DETAILS.Timeout));
    });
    for (let n = 0; n < 20; n++)
      expect(await store.append(freshStream(), events(1), NO_STREAM)).toEqual({ outcome: 'appended', revision: 0 });
  });

  it('under its id in either form', async () => {
    const result = await outcomeOf((batch, call) =>
      call.write(refusal(withStructuredId(batch), 'AccessDenied', DETAILS.AccessDenied)),
    );
    expect(result).toMatchObject({ outcome: 'failed' });
  });

  it('as written at another place, which only a deleted stream has: failed, naming the stream', async () => {
    const result = await outcomeOf((batch, call) => call.write(success(batch, 7)));
    expect(result).toMatchObject({ outcome: 'failed', retryable: false, cause: { name: 'DamagedLogError' } });
  });

  it('as of a wrong revision below its own: a conflict; above it the log decides whose events stand there, or nobody knows', async () => {
    const wrong = (batch: Parameters<OnBatch>[0], call: Parameters<OnBatch>[1]) =>
      call.write(refusal(batch, 'WrongExpectedVersion', DETAILS.WrongExpectedVersion));
    const store = await storeThatHears(wrong);
    expect(await store.append(freshStream(), events(2), NO_STREAM)).toEqual({ outcome: 'conflict', revision: 0 });
    expect(await store.append(freshStream(), events(1), NO_STREAM)).toMatchObject({ outcome: 'unknown' });
  });
});

describe('a wrong revision, at which the log ends no earlier than the batch would', () => {
  const endOf = async (ids: (sent: string) => readonly string[]) => {
    let sent = '';
    const onBatch: OnBatch = (batch, call) => {
      sent = batch.getProposedMessagesList()[0]!.getId()!.getString();
      call.write(refusal(batch, 'WrongExpectedVersion', DETAILS.WrongExpectedVersion));
    };
    const onRead: OnRead = (call) => {
      for (const id of ids(sent)) call.write(eventWithId(id));
      call.end();
    };
    const store = await storeThatHears(onBatch, '', onRead);
    return store.append(freshStream(), events(1), NO_STREAM);
  };

  it('is an append if its own events stand there, whatever became of its answer', async () => {
    expect(await endOf((sent) => [sent])).toEqual({ outcome: 'appended', revision: 0 });
  });

  it("is a conflict if another's stand there, or none any more", async () => {
    expect(await endOf(() => ['00000000-0000-8000-8000-000000000001'])).toEqual({ outcome: 'conflict', revision: 0 });
    expect(await endOf(() => [])).toEqual({ outcome: 'conflict', revision: 0 });
  });
});

describe('a node that is not the leader', () => {
  it('sends the appends on to the leader', async () => {
    const leader = await startEventStoreDb({ fsync: false });
    ends.push(() => leader.stop());
    const store = await storeThatHears((_, call) =>
      call.end(
        new StatusError(9, 'Leader info available', {
          exception: 'not-leader',
          'leader-endpoint-host': leader.host,
          'leader-endpoint-port': String(leader.port),
        }),
      ),
    );
    const [stream, batch] = [freshStream(), events(1)];
    expect(await store.append(stream, batch, NO_STREAM)).toMatchObject({ outcome: 'unknown' });
    expect(await store.append(stream, batch, NO_STREAM)).toEqual({ outcome: 'appended', revision: 0 });
    expect(await readBack(store, stream)).toHaveLength(1);
  });
});
