import type { RecordedPoolEvent } from '../model/events.ts';
import type { ResourceIssue } from '../model/interfaces.ts';

/**
 * The issue that a committed event tells of, if it tells of one. A lease that expired was not given back: its holder died, hangs
 * or forgot it, which is a leak until the deadline ends it.
 */
export function issueOf(event: RecordedPoolEvent): ResourceIssue | undefined {
  switch (event.type) {
    case 'LeaseReclaimed':
      if (event.data.reason !== 'expired') return undefined;
      return {
        code: 'LEASE_LEAKED',
        severity: 'warning',
        message: `lease ${event.data.leaseId} expired without being released`,
        at: event.at,
        leaseId: event.data.leaseId,
      };
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
