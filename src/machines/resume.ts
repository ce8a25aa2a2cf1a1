import type { BreakerMode, TierMode } from '../model/modes.ts';

/** Until when a mode waits (Unix ms; null = it does not), and the generation that its end is reported with. */
export interface BreakerWait {
  readonly until: number | null;
  readonly generation: number;
}

/** Where an actor resumes: the folded mode and its wait. */
export interface BreakerResume extends BreakerWait {
  readonly mode: BreakerMode;
}

/** Where an actor resumes: the folded mode, and until when a drain of it goes on (Unix ms; null = it is not draining). */
export interface TierResume {
  readonly mode: TierMode;
  readonly deadlineAt: number | null;
}
