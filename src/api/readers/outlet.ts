import type { ServerResponse } from 'node:http';
import { whenOver } from './over.ts';
import type { ReaderBudget } from './reader-budget.ts';

/** What one reader is given at once: less while readers hold much in all. */
const PIECE_BYTES = 64 * 1024;
const TIGHT_PIECE_BYTES = 16 * 1024;

/** The writing half of an answer that has no end in sight. Knows what its reader has not taken yet, and counts it. */
export class Outlet {
  readonly #response: ServerResponse;
  readonly #budget: ReaderBudget;
  readonly #waiting = new Set<() => void>();
  #unsent = 0;
  #gone = false;

  constructor(response: ServerResponse, budget: ReaderBudget) {
    this.#response = response;
    this.#budget = budget;
    whenOver(response, () => this.#close());
  }

  /** Everything written has been taken. */
  get isClear(): boolean {
    return this.#unsent === 0;
  }

  get isGone(): boolean {
    return this.#gone;
  }

  get pieceBytes(): number {
    return this.#budget.isTight ? TIGHT_PIECE_BYTES : PIECE_BYTES;
  }

  write(piece: Buffer | string): void {
    if (this.#gone) return;
    const bytes = piece.length;
    this.#unsent += bytes;
    this.#budget.add(bytes);
    this.#response.write(piece, () => this.#sent(bytes));
  }

  /** Settles when everything written has been taken, or the reader is gone. */
  clear(): Promise<void> {
    return this.#unsent === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** Runs once when everything written has been taken. */
  onClear(run: () => void): void {
    this.#waiting.add(run);
  }

  end(): void {
    this.#response.end();
  }

  /** Ends so that the reader sees that the answer is not whole. */
  cut(): void {
    this.#response.destroy();
  }

  #sent(bytes: number): void {
    if (this.#gone) return;
    this.#budget.free(bytes);
    this.#unsent -= bytes;
    if (this.#unsent === 0) this.#wake();
  }

  #close(): void {
    this.#gone = true;
    this.#budget.free(this.#unsent);
    this.#unsent = 0;
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const run of waiting) run();
  }
}
