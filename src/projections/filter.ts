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

/**
 * True if the event is one that the filter asks for: all that the filter names must hold. A refusal is found by its
 * decision's id as a grant is by its lease's: both are the id of the Allocate. An event that names a lease and no owner
 * (a release, say) is the lease's owner's, as far as `ownerOf` still knows it.
 */
export function matches(event: Filtered, filter: EventFilter, ownerOf: OwnerOf = NOBODY): boolean {
  if (filter.from !== undefined && event.revision < filter.from) return false;
  if (filter.to !== undefined && event.revision > filter.to) return false;
  if (filter.types !== undefined && !filter.types.includes(event.type)) return false;
  const subject = event.data as Subject;
  if (filter.leaseId !== undefined && !concerns(subject, filter.leaseId)) return false;
  return filter.owner === undefined || belongsTo(subject, filter.owner, ownerOf);
}

function concerns(subject: Subject, leaseId: string): boolean {
  if (subject.renewals !== undefined) return subject.renewals.some((renewal) => renewal.leaseId === leaseId);
  return subject.leaseId === leaseId || subject.refusal?.decisionId === leaseId;
}

function belongsTo(subject: Subject, owner: string, ownerOf: OwnerOf): boolean {
  if (subject.request !== undefined) return subject.request.owner === owner;
  if (subject.renewals !== undefined) return subject.renewals.some((renewal) => ownerOf(renewal.leaseId) === owner);
  return subject.leaseId !== undefined && ownerOf(subject.leaseId) === owner;
}
