/** What a caller names a command by, so that it may repeat it: with the same key and body it is answered as before, and nothing is done again. */
export interface CommandKey {
  readonly key: string;
  /** A digest of what is asked for in its normal form (base units): another body under the same key is refused. */
  readonly body: string;
}

/** A key as the first event of its command holds it. It is scoped by owner and verb; a refusal, which is no event, binds none. */
export interface BoundKey extends CommandKey {
  /** Whose lease it is about; of what is about no lease, who acts. */
  readonly owner: string;
  /** The command's type. */
  readonly verb: string;
}
