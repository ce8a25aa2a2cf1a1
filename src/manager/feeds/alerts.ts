import type { EndedLease, LeaseRecord } from '../../domain/state.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';
import type { ResourceIssue } from '../../model/interfaces.ts';

/**
 * The issue that a committed event tells of, if it tells of one. A lease that expired was not given back: its holder died, hangs
 * or forgot it, which is a leak until the deadline ends it. `endedOf`: of a lease that ended, as it is remembered.
 */
export function issueOf(
  event: RecordedPoolEvent,
  endedOf: (leaseId: string) => EndedLease | undefined,
): ResourceIssue | undefined {
  switch (event.type) {
    case 'LeaseReclaimed':
      return event.data.reason === 'expired' ? leak(event.data.leaseId, event.at, endedOf) : undefined;
    case 'TierModeChanged':
      return tierIssue(event);
    case 'BreakerModeChanged': {
      const { from, to, trigger } = event.data;
      const shut = to === 'open' || to === 'forcedOpen';
      const message = `the circuit breaker went from ${from} to ${to} (${trigger})`;
      return { code: 'BREAKER_CHANGED', severity: shut ? 'critical' : 'info', message, at: event.at };
    }
    default:
      return undefined;
  }
}

function leak(
  leaseId: string,
  at: number,
  endedOf: (leaseId: string) => EndedLease | undefined,
): ResourceIssue | undefined {
  const ended = endedOf(leaseId);
  const base = { code: 'LEASE_LEAKED', severity: 'warning', at, leaseId } as const;
  if (ended === undefined) return { ...base, message: `lease ${leaseId} expired without being released` };
  const { lease } = ended;
  const message = `${nameOf(lease)} expired without being released, ${at - lease.grantedAt} ms after it was granted`;
  return { ...base, message, tier: lease.tier };
}

const nameOf = ({ leaseId, requestId, owner }: LeaseRecord): string =>
  `lease ${leaseId} of ${owner}${requestId === leaseId ? '' : ` (${requestId})`}`;

/** Somebody gives back at `at` what was taken from him before: what was thought lost was in use until then. */
export function cameBack({ lease, endedAt, reason }: EndedLease, at: number): ResourceIssue {
  const message = `${nameOf(lease)} came back ${Math.max(0, at - endedAt)} ms after it was reclaimed (${reason})`;
  return { code: 'LEASE_CAME_BACK', severity: 'info', message, at, tier: lease.tier, leaseId: lease.leaseId };
}

function tierIssue({ data, at }: Extract<RecordedPoolEvent, { type: 'TierModeChanged' }>): ResourceIssue | undefined {
  const { tier, from, to } = data;
  if (from.load === to.load || (to.load !== 'overcommitted' && from.load !== 'overcommitted')) return undefined;
  return to.load === 'overcommitted'
    ? { code: 'OVERCOMMITTED', severity: 'critical', message: `more is granted than there is: tier ${tier}`, at, tier }
    : {
        code: 'OVERCOMMITMENT_ENDED',
        severity: 'info',
        message: `tier ${tier} is within the capacity again`,
        at,
        tier,
      };
}
