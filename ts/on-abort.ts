import { getMaxListeners, setMaxListeners } from 'node:events';

/**
 * Calls `listener` when the signal fires; returns what takes that back, to be called once. Any number of calls may share a
 * signal: Node takes the eleventh listener for a leak and warns, so each of ours raises its limit by one.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (!signal) return () => {};
  raiseLimit(signal, 1);
  signal.addEventListener('abort', listener, { once: true });
  return () => {
    signal.removeEventListener('abort', listener);
    raiseLimit(signal, -1);
  };
}

function raiseLimit(signal: AbortSignal, by: number): void {
  // Of a signal of another make Node knows no limit.
  if (!(signal instanceof EventTarget)) return;
  const limit = getMaxListeners(signal);
  // 0 is none.
  if (limit > 0) setMaxListeners(limit + by, signal);
}
