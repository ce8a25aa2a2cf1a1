/** What can happen to one append. All but `slow` and `sentTwice` leave its caller in doubt, or with a no. */
export const APPEND_FAULTS = [
  /** No answer, and it never lands. */
  'timeoutNotApplied',
  /** It lands at once; no answer comes back. */
  'timeoutApplied',
  /** No answer; it lands later, perhaps after its retry, or not at all because something else stands in its place by then. */
  'timeoutAppliedLate',
  /** Another writer's event lands first: a conflict. */
  'overtaken',
  /** The connection breaks while the batch is on its way: in doubt at once, and nothing of it has landed. */
  'disconnected',
  /** It arrives twice, as a retransmission does; the second answer counts. */
  'sentTwice',
  /** The answer takes `slowMs`. */
  'slow',
  /** A definite no that may pass. */
  'failedRetryable',
  /** A definite no. */
  'failedForGood',
] as const;

/** What can happen to a read or a subscription. */
export const READ_FAULTS = [
  /** It throws before its first page. */
  'readFails',
  /** It throws after its first page. */
  'readBreaks',
  /** A subscription ends with an error before an item. */
  'subscriptionCut',
  /** An item of a subscription comes late. */
  'subscriptionDelayed',
] as const;

export type AppendFault = (typeof APPEND_FAULTS)[number];
export type ReadFault = (typeof READ_FAULTS)[number];
export type Fault = AppendFault | ReadFault;

/** How likely each fault is, 0 to 1, for each operation it can happen to. What is missing never happens. */
export type FaultRates = Readonly<Partial<Record<Fault, number>>>;

/** How often each fault has happened. */
export type FaultCounts = Record<Fault, number>;

export const noFaults = (): FaultCounts =>
  Object.fromEntries([...APPEND_FAULTS, ...READ_FAULTS].map((fault) => [fault, 0])) as FaultCounts;

/** The fault that a draw in [0, 1) falls on, if any: one operation suffers at most one. */
export function drawFault<F extends Fault>(kinds: readonly F[], rates: FaultRates, draw: number): F | undefined {
  let left = draw;
  for (const kind of kinds) {
    left -= rates[kind] ?? 0;
    if (left < 0) return kind;
  }
  return undefined;
}
