/**
 * A pool's log as a busy service leaves it, made by the real decisions: of 20 events 9 are grants, 9 releases and 2 renewals, of a
 * hundred shapes, on a pool that holds `live` leases all along. 400 commands a second of the log's own time.
 */
import type { CommandData, CommandType } from '../../src/model/commands.ts';
import { parseConfig } from '../../src/model/config/resolve-config.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { RequestSpec } from '../../src/model/request.ts';
import { bareRequest } from '../../test/support/bare-request.ts';
import { DecidedPool } from './decided-pool.ts';

const SHAPES = 100;
const MIB = 2 ** 20;

/** The events in batches of up to 256, as they would be committed; at least `events` of them. */
export function* longLog(events: number, live: number): Generator<RecordedPoolEvent[]> {
  const config = parseConfig({ ...LIMITS, maxPoolSize: live + 16, reserve: '0%', tiers: TIERS });
  let at = Date.UTC(2026, 0, 1);
  const now = () => {
    at += 2.5;
    return Math.floor(at);
  };
  const pool = new DecidedPool({ config, capacity: { memory: live * 200 * MIB, cpu: live * 2_000 }, now });
  const { state } = pool;
  let batch: RecordedPoolEvent[] = [...pool.opening];
  const run = <T extends CommandType>(type: T, data: CommandData[T]): void =>
    void batch.push(...pool.run(type, data).events);
  for (let n = 0; state.revision < events; n++) {
    if (state.leases.size < live || n % 2 === 0) run('Allocate', { request: shaped(n) });
    else {
      const oldest = state.leases.withToken(state.lastToken - live + 1) ?? [...state.leases.values()][0]!;
      run('Release', { leaseId: oldest.leaseId, token: oldest.token, cause: 'holder' });
    }
    const young = state.leases.withToken(state.lastToken);
    if (n % 9 === 0 && young !== undefined) run('Renew', { leaseId: young.leaseId, token: young.token, ttlMs: null });
    if (batch.length < 256) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

const LIMITS = { minPoolSize: 1, cleanupIntervalMs: 30_000, resourceTimeoutMs: 3_600_000, cacheMaxSize: 1_000 };
const TIERS = [
  { name: 'critical', priorities: ['critical'], nominal: '20%' },
  { name: 'standard', priorities: ['high', 'normal'], nominal: '50%' },
  { name: 'besteffort', priorities: ['low'], nominal: '30%' },
];
const PRIORITIES = ['critical', 'high', 'normal', 'low'];

/** A request of one of the shapes; of ten one has a name of its own and an owner. */
function shaped(n: number): RequestSpec {
  const shape = (n * 7) % SHAPES;
  const own = n % 10 === 0;
  return bareRequest({
    id: own ? `job-${n}` : `task-${n.toString(36)}`,
    type: 'memory',
    priority: PRIORITIES[shape % 4]!,
    owner: own ? `team-${n % 7}` : 'anonymous',
    requirements: { memory: 1 + shape, cpu: 10 },
    amounts: { memory: (1 + shape) * MIB, cpu: 100 },
  });
}
