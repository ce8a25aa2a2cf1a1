import { randomBytes } from 'node:crypto';
import type { Clock } from '../../model/clock.ts';
import type { Command, CommandData, CommandOf, CommandType } from '../../model/commands.ts';
import type { CommandKey } from '../../model/idempotency.ts';
import { CommandIds, eventId } from '../../model/ids.ts';
import { type RequestSpec, requestBody } from '../../model/request.ts';
import { commandKey } from './command-key.ts';

/** Who acts when nobody asked: deadlines, sensors, the start. */
export const SYSTEM = 'system';

/** Random, so that two processes never draw the same. */
export const randomIdPrefix = (): string => randomBytes(8).toString('hex').slice(0, 15);

/** Puts time and id on commands, once and for all: deciding one again gives the same events. */
export class Stamp {
  readonly #clock: Clock;
  readonly #ids: CommandIds;
  #last = '';

  /** `prefix`: 15 hex digits by which this process's ids are told from all others'. */
  constructor(clock: Clock, prefix: string) {
    this.#clock = clock;
    this.#ids = new CommandIds(prefix);
  }

  readonly nextId = (): string => {
    this.#last = this.#ids.next();
    return this.#last;
  };

  command<T extends CommandType>(
    type: T,
    data: CommandData[T],
    actor: string = SYSTEM,
    at = this.#clock.now(),
    key?: CommandKey,
  ): CommandOf<T> {
    const commandId = this.nextId();
    const command = { type, commandId, firstEventId: this.#ids.firstEventId, at, actor, data } as unknown as Command;
    return (key === undefined ? command : { ...command, key }) as CommandOf<T>;
  }

  /** With an id that was taken before: it names a request that has no name of its own. */
  allocate(commandId: string, request: RequestSpec, actor: string): CommandOf<'Allocate'> {
    const firstEventId = commandId === this.#last ? this.#ids.firstEventId : eventId(commandId, 1);
    const command = {
      type: 'Allocate',
      commandId,
      firstEventId,
      at: this.#clock.now(),
      actor,
      data: { request },
    } as const;
    if (request.idempotencyKey === null) return command;
    return { ...command, key: commandKey(request.idempotencyKey, requestBody(request, commandId))! };
  }
}
