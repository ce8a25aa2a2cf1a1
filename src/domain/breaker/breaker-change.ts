import { nextBreakerMode } from '../../machines/transitions.ts';
import type { CommandData } from '../../model/commands.ts';
import type { BreakerConfig } from '../../model/config/config.ts';
import type { BreakerMode } from '../../model/modes.ts';
import type { BreakerChange, BreakerRecord } from './breaker-record.ts';

/**
 * What a trigger does to a breaker at `at` (Unix ms). A trigger that was seen by an earlier generation of it, or that leads
 * nowhere from its mode, is nothing.
 */
export function breakerChange(
  config: BreakerConfig,
  before: BreakerRecord,
  { trigger, generation, draw }: CommandData['TriggerBreaker'],
  at: number,
): BreakerChange | undefined {
  if (generation !== null && generation !== before.generation) return undefined;
  const to = nextBreakerMode(before.mode, trigger);
  if (to === undefined) return undefined;
  const { mode, ...rest } = enter(config, before, to, at, draw);
  return { trigger, from: before.mode, to: mode, ...rest };
}

function enter(config: BreakerConfig, before: BreakerRecord, to: BreakerMode, at: number, draw: number): BreakerRecord {
  const generation = before.generation + 1;
  if (to === 'open') {
    const reopened = before.mode === 'halfOpen' ? before.reopened + 1 : 0;
    return { mode: to, generation, until: at + openMs(config, reopened, draw), reopened };
  }
  if (to === 'halfOpen') return { mode: to, generation, until: at + config.halfOpenMs, reopened: before.reopened };
  return { mode: to, generation, until: null, reopened: 0 };
}

/** How long a breaker that opens for the n-th time in a row stays open: doubling, capped, drawn within its jitter. */
function openMs(config: BreakerConfig, reopened: number, draw: number): number {
  const base = Math.min(config.maxOpenMs, config.openMs * 2 ** Math.min(reopened, 30));
  return Math.round(base * (1 + config.jitterRatio * (2 * draw - 1)));
}
