import type { Refusal, RefusalCode } from '../../model/refusals.ts';
import type { Answer } from './answer.ts';
import type { Turn } from './decision.ts';

/** A refusal is decided at the revision before it, and changes nothing. */
export function refuse(turn: Turn, code: RefusalCode, message: string, details: Partial<Refusal> = {}): Answer {
  return {
    kind: 'refused',
    refusal: { code, message, decisionId: turn.command.commandId, revision: turn.state.revision, ...details },
  };
}
