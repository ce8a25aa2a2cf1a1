/**
 * Calls `run` once `ms` have passed; the returned function cancels. If this process itself was busy for long, what has come
 * meanwhile is looked at first, so that an answer that lies ready is not taken for silence.
 */
export function afterSilence(ms: number, run: () => void): () => void {
  let cancelled = false;
  const timer = setTimeout(() => {
    setImmediate(() => {
      if (!cancelled) setImmediate(() => cancelled || run());
    });
  }, ms);
  return () => {
    cancelled = true;
    clearTimeout(timer);
  };
}
