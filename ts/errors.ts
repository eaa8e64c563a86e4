/**
 * Every way in which flavr refuses or fails, as a word that a program can test for.
 * The message beside it is for people: what was expected, what came, what to do.
 */
export type FlavrErrorCode =
  | 'BAD_ARGUMENT'
  | 'BAD_FRAME'
  | 'UNSUPPORTED_FACTOR'
  | 'MODEL_NOT_FOUND'
  | 'CHECKPOINT_INVALID'
  | 'CHECKPOINT_UNSAFE'
  | 'GRAPH_INVALID'
  | 'CALIBRATION_INVALID'
  | 'BACKEND_UNAVAILABLE'
  | 'PEER_MISSING'
  | 'ENGINE_BUILD_FAILED'
  | 'ENGINE_INCOMPATIBLE'
  | 'CACHE_LOCKED'
  | 'OUT_OF_MEMORY'
  | 'INFERENCE_FAILED'
  | 'NUMERIC_FAILURE'
  | 'DEVICE_LOST'
  | 'VIDEO_UNREADABLE'
  | 'VIDEO_UNSUPPORTED'
  | 'VIDEO_UNWRITABLE'
  | 'OUTPUT_EXISTS'
  | 'DATASET_INVALID'
  | 'ABORTED'
  | 'DISPOSED'
  | 'BUSY';

/** The one error class of the package. */
export class FlavrError extends Error {
  override readonly name = 'FlavrError';
  readonly code: FlavrErrorCode;

  constructor(code: FlavrErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The error a call rejects with when its `AbortSignal` fires; the signal's own reason is kept as the cause. */
export function abortError(signal: AbortSignal): FlavrError {
  return new FlavrError('ABORTED', 'The operation was aborted by its signal.', { cause: signal.reason });
}

/** @throws FlavrError `ABORTED` if it has fired; `BAD_ARGUMENT` for what is no signal. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new FlavrError('BAD_ARGUMENT', `signal must be an AbortSignal; got ${String(signal)}.`);
  }
  if (signal?.aborted) throw abortError(signal);
}

/** `error` itself if it is ours, else wrapped under `code` with `context` in front of its message. */
export function asFlavrError(error: unknown, code: FlavrErrorCode, context: string): FlavrError {
  if (error instanceof FlavrError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new FlavrError(code, `${context}: ${detail}`, { cause: error });
}
