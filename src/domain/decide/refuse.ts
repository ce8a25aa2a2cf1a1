import type { Refusal, RefusalCode } from '../../model/refusals.ts';
import type { Answer } from './answer.ts';
import type { Decision } from './decision.ts';

/** A refusal is decided at the revision before it, and changes nothing. */
export function refuse(decision: Decision, code: RefusalCode, message: string, details: Partial<Refusal> = {}): Answer {
  return {
    kind: 'refused',
    refusal: { code, message, decisionId: decision.command.commandId, revision: decision.state.revision, ...details },
  };
}
