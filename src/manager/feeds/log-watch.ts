import type { Clock } from '../../model/clock.ts';
import type { PoolError } from '../../model/errors.ts';
import type { EventStore, StoreCondition } from '../../model/event-store.ts';
import type { ResourceIssue } from '../../model/interfaces.ts';

const LOOK_MS = 1_000;

export interface LogWatchOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly alert: (issue: ResourceIssue) => void;
  /** Nothing is recorded any more, for good; once. */
  readonly lost: (why: PoolError) => void;
}

/** What a store that looks after itself finds out between appends, told to those who do not ask: each change once, a second late at most. */
export class LogWatch {
  readonly #options: LogWatchOptions;
  #said = '';
  #cancelTimer: () => void = () => undefined;

  constructor(options: LogWatchOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.store.condition !== undefined) this.#lookAfter(this.#options.store.condition);
  }

  stop(): void {
    this.#cancelTimer();
  }

  #lookAfter(condition: StoreCondition): void {
    this.#cancelTimer = this.#options.clock.schedule(LOOK_MS, () => {
      this.#say(issueOf(condition));
      if (condition.poison === undefined) this.#lookAfter(condition);
      else this.#options.lost(condition.poison);
    });
  }

  #say(issue: Said | undefined): void {
    const said = issue?.code ?? '';
    if (said === this.#said) return;
    this.#said = said;
    this.#options.alert({ ...(issue ?? WELL), at: this.#options.clock.now() });
  }
}

type Said = Omit<ResourceIssue, 'at'>;

const WELL: Said = { code: 'LOG_WELL', severity: 'info', message: 'the log records again, and has its size' };

function issueOf({ poison, trouble, walGrown, walBytes }: StoreCondition): Said | undefined {
  if (poison !== undefined) return { code: 'LOG_LOST', severity: 'critical', message: poison.message };
  if (trouble !== undefined) return { code: 'LOG_STUCK', severity: 'critical', message: trouble.message };
  const message = `the write-ahead log has grown to ${walBytes} bytes, since a reader or a full disk keeps it`;
  return walGrown ? { code: 'LOG_GROWS', severity: 'warning', message } : undefined;
}
