import type { Command } from '../../model/commands.ts';
import type { BoundKey } from '../../model/idempotency.ts';
import { isKept, scopeOf } from '../evolve/keys.ts';
import type { KeyRecord, PoolState } from '../state.ts';
import type { Answer } from './answer.ts';
import type { Decision } from './decision.ts';
import { fenced, unknown } from './lease.ts';
import { refuse } from './refuse.ts';

/**
 * The answer to a command whose key is bound already: nothing is done again, whatever the verb. Undefined = it has no key or is the first
 * with it; then the first event that it causes binds the key.
 */
export function repeated(decision: Decision, command: Command): Answer | undefined {
  const { key } = command;
  if (key === undefined) return undefined;
  const whole = { ...key, owner: ownerOf(decision.state, command), verb: command.type };
  // A breaker's change is in force before it is decided: its keeper has looked.
  const bound = command.type === 'TriggerBreaker' ? undefined : boundTo(decision.state, whole, decision.at);
  if (bound === undefined) {
    decision.key = whole;
    return undefined;
  }
  if (bound.body === key.body) return asBefore(decision, command.type, bound);
  return refuse(decision, 'IDEMPOTENCY_KEY_REUSED', `the key ${key.key} was used with another body`);
}

/** What the key is bound to, if it still answers at `now`, Unix ms. */
export function boundTo(state: PoolState, key: BoundKey, now: number): KeyRecord | undefined {
  const bound = state.keys.get(scopeOf(key));
  return bound !== undefined && isKept(state, bound, now) ? bound : undefined;
}

function ownerOf(state: PoolState, { type, data, actor }: Command): string {
  if (type === 'Allocate') return data.request.owner;
  if (!('leaseId' in data)) return actor;
  return state.leases.get(data.leaseId)?.owner ?? state.ended.get(data.leaseId)?.lease.owner ?? actor;
}

/** What the command was about, as it stands now. Who holds or wants a lease that has ended is told so; who ended it has his answer. */
function asBefore(decision: Decision, verb: Command['type'], { leaseId, asItStood }: KeyRecord): Answer {
  if (asItStood !== undefined) return { kind: 'cancelled', request: asItStood, replayed: true };
  if (leaseId === null) return { kind: 'done', replayed: true };
  const { leases, waiting, ended } = decision.state;
  const lease = leases.get(leaseId);
  if (lease !== undefined) return { kind: verb === 'Allocate' ? 'granted' : 'lease', lease, replayed: true };
  const request = waiting.get(leaseId);
  if (request !== undefined) return { kind: 'queued', request, replayed: true };
  const last = ended.get(leaseId);
  if (last === undefined) return unknown(decision, leaseId);
  return verb === 'Allocate' || verb === 'Renew'
    ? fenced(decision, last)
    : { kind: 'lease', lease: last, replayed: true };
}
