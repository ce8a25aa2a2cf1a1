import type { AuditEventData, EventData, NewEvent } from '../model/events.ts';
import type { EventFilter } from '../model/reading.ts';

/** Whose lease or waiting request this is; undefined if it is not known (any more). */
export type OwnerOf = (leaseId: string) => string | undefined;

const NOBODY: OwnerOf = () => undefined;

/** A recorded event of the pool's stream or of its audit stream. */
type Filtered = NewEvent & { readonly revision: number };

/** The part of events' data that filters look at. */
interface Subject {
  readonly leaseId?: string;
  readonly request?: { readonly owner: string };
  readonly renewals?: EventData['LeasesRenewed']['renewals'];
  readonly refusal?: AuditEventData['RequestRefused']['refusal'];
}

interface Wanted {
  readonly leaseId: string | undefined;
  readonly owner: string | undefined;
}

/**
 * True if the event is one that the filter asks for: all that the filter names must hold. A refusal is found by its
 * decision's id as a grant is by its lease's: both are the id of the Allocate. An event that names a lease and no owner
 * (a release, say) is the lease's owner's, as far as `ownerOf` still knows it.
 */
export function matches(event: Filtered, filter: EventFilter, ownerOf: OwnerOf = NOBODY): boolean {
  if (filter.from !== undefined && event.revision < filter.from) return false;
  if (filter.to !== undefined && event.revision > filter.to) return false;
  if (filter.types !== undefined && !filter.types.includes(event.type)) return false;
  const { leaseId, owner } = filter;
  return concerns(event.data as Subject, { leaseId, owner }, ownerOf);
}

/** The lease and the owner asked for must be those of one and the same lease, also where an event is about many. */
function concerns(subject: Subject, { leaseId, owner }: Wanted, ownerOf: OwnerOf): boolean {
  if (leaseId === undefined && owner === undefined) return true;
  if (subject.renewals !== undefined)
    return subject.renewals.some((renewal) => concerns(renewal, { leaseId, owner }, ownerOf));
  const id = subject.leaseId ?? subject.refusal?.decisionId;
  if (leaseId !== undefined && id !== leaseId) return false;
  if (owner === undefined) return true;
  return (subject.request?.owner ?? (id === undefined ? undefined : ownerOf(id))) === owner;
}
