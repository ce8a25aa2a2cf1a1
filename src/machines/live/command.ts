import type { CommandData } from '../../model/commands.ts';

/** What a waiting mode asks for. Time, id and the jitter's draw are stamped by who takes it in. */
export type LiveCommand =
  | { readonly type: 'EndTierDrain'; readonly data: CommandData['EndTierDrain'] }
  | { readonly type: 'JudgeLoad'; readonly data: CommandData['JudgeLoad'] }
  | { readonly type: 'TriggerBreaker'; readonly data: Omit<CommandData['TriggerBreaker'], 'draw'> };
