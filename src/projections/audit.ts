import type { RecordedAuditEvent } from '../model/events.ts';
import { Generations, type SavedGenerations } from './generations.ts';
import { Tally } from './tally.ts';

type RefusedEvent = Extract<RecordedAuditEvent, { type: 'RequestRefused' }>;

/** Refusals that are kept whole. */
export const RECENT_REFUSALS = 1_000;
/** Decisions whose place is known: at least this many, at most twice. */
const KNOWN_DECISIONS = 50_000;

interface SavedAudit {
  readonly revision: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly recent: readonly RefusedEvent[];
  readonly decisions: SavedGenerations<number>;
  readonly requests: SavedGenerations<string>;
}

/**
 * The audit stream, folded: how many were refused and why, the last ones whole, and where the others are. It is a fold of
 * its own stream, so it stands at a revision of its own. Bounded: 1 000 refusals, 100 000 decisions, 100 000 requests.
 */
export class AuditProjection {
  readonly name = 'audit';
  #revision = -1;
  readonly #refused = new Tally();
  #recent: RefusedEvent[] = [];
  readonly #decisions = new Generations<number>(KNOWN_DECISIONS);
  /** The last decision on a request, by the caller's name for it. */
  readonly #requests = new Generations<string>(KNOWN_DECISIONS);

  /** Of the audit stream; -1 before its first event. */
  get revision(): number {
    return this.#revision;
  }

  apply(event: RecordedAuditEvent): void {
    if (event.type === 'RequestRefused') this.#takeRefusal(event);
    else for (const [code, count] of Object.entries(event.data.counts)) this.#refused.add(code, count);
    this.#revision = event.revision;
  }

  /** By code, those that were only counted included. */
  refusedByCode(): Readonly<Record<string, number>> {
    return this.#refused.view();
  }

  get refusedTotal(): number {
    return this.#refused.total;
  }

  /** The last refusals that were recorded one by one, oldest first; at most 1 000. */
  recent(limit = RECENT_REFUSALS): readonly RefusedEvent[] {
    return limit <= 0 ? [] : this.#recent.slice(-Math.min(limit, RECENT_REFUSALS));
  }

  /** The place of a refusal in the audit stream, by its decision, or of a request's last one; undefined if not (or no longer) known. */
  revisionOf(decisionOrRequestId: string): number | undefined {
    const decisionId = this.#requests.get(decisionOrRequestId) ?? decisionOrRequestId;
    return this.#decisions.get(decisionOrRequestId) ?? this.#decisions.get(decisionId);
  }

  reset(): void {
    this.#revision = -1;
    this.#refused.reset();
    this.#recent = [];
    this.#decisions.clear();
    this.#requests.clear();
  }

  save(): SavedAudit {
    return {
      revision: this.#revision,
      refused: this.#refused.save(),
      recent: this.recent(),
      decisions: this.#decisions.save(),
      requests: this.#requests.save(),
    };
  }

  load(saved: SavedAudit): void {
    this.#revision = saved.revision;
    this.#refused.load(saved.refused);
    this.#recent = [...saved.recent];
    this.#decisions.load(saved.decisions);
    this.#requests.load(saved.requests);
  }

  #takeRefusal(event: RefusedEvent): void {
    const { refusal, request } = event.data;
    this.#refused.add(refusal.code);
    this.#recent.push(event);
    if (this.#recent.length > 2 * RECENT_REFUSALS) this.#recent = this.recent() as RefusedEvent[];
    if (this.#decisions.full) this.#decisions.turn(() => false);
    if (this.#requests.full) this.#requests.turn(() => false);
    this.#decisions.set(refusal.decisionId, event.revision);
    this.#requests.set(request.id, refusal.decisionId);
  }
}
