/** How long after a grant or a renewal the next renewal is due: a third of the TTL, in whole ms. */
export const renewalIntervalMs = (ttlMs: number): number => Math.floor(ttlMs / 3);
