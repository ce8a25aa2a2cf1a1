import { type Journal, Undoable } from '../ledger/journal.ts';
import type { WaitingRecord } from './waiting-record.ts';

/** What a journal notes of who waits, to take it back. */
export type WaitingStep = 'came' | 'went';

/** A list of who waits, to which requests come and from which they go; each step is taken back by the other. */
export abstract class Comings extends Undoable {
  /** Adds a request, or takes it out. */
  put(step: WaitingStep, record: WaitingRecord, journal: Journal | undefined): void {
    journal?.note(this, step, record);
    this.redo(step, record);
  }

  override undo(step: WaitingStep, record: WaitingRecord): void {
    this.redo(step === 'came' ? 'went' : 'came', record);
  }

  abstract override redo(step: WaitingStep, record: WaitingRecord): void;
}
