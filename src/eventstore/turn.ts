const waiting: (() => void)[] = [];
let asked = 0;
let given = 0;

/**
 * Resolves when the event loop has turned and it is this caller's turn. Long work goes in slices of some ms, and before each it
 * waits here: input, timers and commands come in between, and however many wait, one slice is done in each turn of the loop, whoever
 * has waited longest first. (A resolved promise, and `setImmediate` of each reader, would let all of them run before any input.)
 */
export function readersTurn(): Promise<void> {
  asked += 1;
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(admit);
  });
}

function admit(): void {
  given += 1;
  waiting.shift()!();
  if (waiting.length > 0) setImmediate(admit);
}

/** Resolves when the event loop has turned, whatever readers wait: for work that others wait for, as recovery is, or a lost race. */
export function nextTurn(): Promise<void> {
  asked += 1;
  return new Promise((resolve) => {
    setImmediate(() => {
      given += 1;
      resolve();
    });
  });
}

/** How many turns have been asked for, and how many of them are due yet: for tests, which let all work settle before time goes on. */
export const turnsAsked = (): { readonly asked: number; readonly due: number } => ({ asked, due: asked - given });
