import Type, { type Static, type TSchema } from 'typebox';
import { ID_PATTERN, KEY_PATTERN } from '../model/ids.ts';
import { FORCED_MODES } from '../model/modes.ts';
import { MAX_SPAN_MS } from '../model/values/instant.ts';
import { LEASE_STATES } from '../model/views.ts';

/** What requests may hold. Descriptions say what is allowed: they are what a wrong field is answered with. */
const closed = { additionalProperties: false } as const;

export const Id = Type.String({ pattern: ID_PATTERN, description: '1 to 128 of the characters A-Z a-z 0-9 . _ : -' });
export const Revision = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'a revision: a whole number from 0',
});
export const Token = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "the lease's fencing token: a whole number from 1",
});
const ms = (minimum: number) =>
  Type.Integer({ minimum, maximum: MAX_SPAN_MS, description: `whole milliseconds from ${minimum} to ${MAX_SPAN_MS}` });
const pageLimit = Type.Integer({
  minimum: 1,
  maximum: 1000,
  description: 'a whole number from 1 to 1000; default 100',
});
const cursor = Type.String({ minLength: 1, maxLength: 512, description: 'the `next` of the page before' });
const oneOf = <Name extends string>(...names: Name[]) =>
  Type.Unsafe<Name>({ type: 'string', enum: names, description: names.join(', ') });
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);

export const IdParams = Type.Object({ id: Id });
export const TierParams = Type.Object({ tier: Id });

/** A read without fields. */
export const NoQuery = Type.Object({}, closed);
/** A verb without fields. */
export const NoBody = Type.Object({}, closed);
export const ReleaseBody = Type.Object({ token: Token }, closed);
export const RenewBody = Type.Object({ token: Token, ttlMs: optional(ms(1)) }, closed);
export const RevokeBody = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: 256, description: 'a text of 1 to 256 characters' }),
    graceMs: optional(ms(0)),
  },
  closed,
);
export const DrainBody = Type.Object({ deadlineMs: ms(0) }, closed);
export const BreakerBody = Type.Object({ mode: oneOf(...FORCED_MODES) }, closed);

export const LeasesQuery = Type.Object(
  {
    owner: optional(Id),
    tier: optional(Id),
    priority: optional(Id),
    state: optional(oneOf(...LEASE_STATES)),
    cursor: optional(cursor),
    limit: optional(pageLimit),
  },
  closed,
);
export const RequestsQuery = Type.Object(
  { tier: optional(Id), owner: optional(Id), cursor: optional(cursor), limit: optional(pageLimit) },
  closed,
);
export const PoolQuery = Type.Object(
  {
    revision: optional(Revision),
    at: optional(Type.String({ maxLength: 64, description: 'an instant: integer Unix ms, or an RFC 3339 date-time' })),
  },
  closed,
);
export const EventsQuery = Type.Object(
  {
    from: optional(Revision),
    to: optional(Revision),
    type: optional(Type.String({ maxLength: 1024, description: 'event types, separated by commas' })),
    lease: optional(Id),
    owner: optional(Id),
    cursor: optional(cursor),
    limit: optional(pageLimit),
  },
  closed,
);
export type EventsQuery = Static<typeof EventsQuery>;
export const ReadyQuery = Type.Object(
  { verbose: optional(Type.String({ maxLength: 8, description: 'no value: list the checks' })) },
  closed,
);

const key = Type.String({
  maxLength: 130,
  pattern: KEY_PATTERN,
  description: 'a key of 1 to 128 of the characters A-Z a-z 0-9 . _ : -',
});
const etags = Type.String({
  maxLength: 1024,
  pattern: '^(\\*|(W/)?"[0-9]{1,16}"(\\s*,\\s*(W/)?"[0-9]{1,16}")*)$',
  description: 'entity tags: revisions in quotes, such as "12", or *',
});
const prefer = Type.String({
  maxLength: 256,
  description: `respond-async, wait=N (seconds, 0 to ${MAX_SPAN_MS / 1000}); RFC 7240`,
});
const actor = Type.String({ pattern: ID_PATTERN, description: 'who asks: 1 to 128 of A-Z a-z 0-9 . _ : -' });

export const CallHeaders = Type.Object({ 'x-actor': optional(actor), 'idempotency-key': optional(key) });
export const LeaseCallHeaders = Type.Object({ ...CallHeaders.properties, 'if-match': optional(etags) });
export const AllocateHeaders = Type.Object({ ...CallHeaders.properties, prefer: optional(prefer) });
export const ReadHeaders = Type.Object({ 'if-none-match': optional(etags) });
export const PatchHeaders = Type.Object({ 'x-actor': optional(actor), 'if-match': optional(etags) });
export const StreamHeaders = Type.Object({
  'last-event-id': optional(
    Type.String({ pattern: '^[0-9]{1,16}$', description: 'the revision of the last event that was received' }),
  ),
});
