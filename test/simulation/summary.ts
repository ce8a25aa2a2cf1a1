import type { Simulated } from './simulate.ts';

const HOUR_MS = 3_600_000;

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, n]) => `${name} ${n}`)
    .join(', ');

/** What a run has come to, for people. */
export function summary(run: Simulated, tookMs: number): string {
  const perSecond = Math.round(run.decided / (tookMs / 1_000));
  return [
    `simulation: seeds ${run.seed} to ${run.seed + run.worlds - 1}, ${run.decided} commands decided, ${perSecond}/s`,
    `  ${run.calls} calls, ${run.events} events, ${(run.virtualMs / HOUR_MS).toFixed(1)} simulated hours`,
    `  ${run.takeovers} takeovers, ${run.staleRefused} appends that came too late, none of them taken`,
    `  faults: ${counted(run.faults)}`,
    `  answers: ${counted(run.endings)}`,
    `  events: ${counted(run.types)}`,
  ].join('\n');
}
