import type { RecordedAuditEvent } from '../model/events.ts';
import { RefusalIndex } from './event-index.ts';
import { Tally } from './tally.ts';

interface SavedAudit {
  readonly revision: number;
  readonly refused: Readonly<Record<string, number>>;
}

/**
 * The audit stream, folded: how many were refused and why, and where whose refusals are. It is a fold of its own stream, so it
 * stands at a revision of its own.
 */
export class AuditProjection {
  readonly name = 'audit';
  readonly index = new RefusalIndex();
  #revision = -1;
  readonly #refused = new Tally();

  /** Of the audit stream; -1 before its first event. */
  get revision(): number {
    return this.#revision;
  }

  apply(event: RecordedAuditEvent): void {
    if (event.type === 'RequestRefused') this.#refused.add(event.data.refusal.code);
    else for (const [code, count] of Object.entries(event.data.counts)) this.#refused.add(code, count);
    this.index.apply(event);
    this.#revision = event.revision;
  }

  /** By code, those that were only counted included. */
  refusedByCode(): Readonly<Record<string, number>> {
    return this.#refused.view();
  }

  get refusedTotal(): number {
    return this.#refused.total;
  }

  reset(): void {
    this.#revision = -1;
    this.#refused.reset();
    this.index.reset();
  }

  /** Without its index, which is saved by itself. */
  save(): SavedAudit {
    return { revision: this.#revision, refused: this.#refused.save() };
  }

  load(saved: SavedAudit): void {
    this.#revision = saved.revision;
    this.#refused.load(saved.refused);
  }
}
