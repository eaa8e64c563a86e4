import { inspect } from 'node:util';

/**
 * Every way in which flavr refuses or fails, as a word that a program can test for.
 * The message beside it is for people: what was expected, what came, what to do.
 */
export type FlavrErrorCode =
  /** An argument, an option or a combination of them that cannot be. */
  | 'BAD_ARGUMENT'
  /** A frame that is no Uint8Array, has another length, or lies in memory that can change or vanish. */
  | 'BAD_FRAME'
  /** A factor that the model cannot do; the message lists those that it can. */
  | 'UNSUPPORTED_FACTOR'
  /** Neither a bundled model nor a file; an engine file that is not there. */
  | 'MODEL_NOT_FOUND'
  /** A checkpoint that is damaged, or of another network; the message names the tensor. */
  | 'CHECKPOINT_INVALID'
  /** A pickle that names something other than tensors and plain values; nothing of it was run. */
  | 'CHECKPOINT_UNSAFE'
  /** An ONNX file that is damaged, too large, or none of FLAVR's. */
  | 'GRAPH_INVALID'
  /** A calibration that is damaged, or of other weights. */
  | 'CALIBRATION_INVALID'
  /** The backend that was named cannot run here; the message says what would mend it. */
  | 'BACKEND_UNAVAILABLE'
  /** An optional package is not installed; the message says which. */
  | 'PEER_MISSING'
  /** TensorRT could not build an engine. */
  | 'ENGINE_BUILD_FAILED'
  /** An engine that is damaged, or was built for something else than what is asked for or is here. */
  | 'ENGINE_INCOMPATIBLE'
  /** Another process has been building the same engine for too long. */
  | 'CACHE_LOCKED'
  /** More memory is needed than there is; the message has the numbers and the largest size that fits. */
  | 'OUT_OF_MEMORY'
  /** The model failed while it ran. */
  | 'INFERENCE_FAILED'
  /** The model gave a value that is not finite. */
  | 'NUMERIC_FAILURE'
  /** The GPU failed; everything on it is gone. */
  | 'DEVICE_LOST'
  /** A source that is absent, empty, damaged beyond use, or no video. */
  | 'VIDEO_UNREADABLE'
  /** A source or an output of a kind that flavr does not do; the message says what it does. */
  | 'VIDEO_UNSUPPORTED'
  /** An output that cannot be written: no such folder, no permission, disk full. */
  | 'VIDEO_UNWRITABLE'
  /** The output exists and may not be replaced. */
  | 'OUTPUT_EXISTS'
  /** A data set that is not laid out as expected; the message says what was expected and found. */
  | 'DATASET_INVALID'
  /** The signal of the call fired; its reason is the `cause`. */
  | 'ABORTED'
  /** Something was used after its end. */
  | 'DISPOSED'
  /** More calls wait than `maxQueued` allows. */
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

/** A FlavrError made anew: one that came in a turn of the event loop of its own has a stack that does not lead to the call. */
export function madeHere(error: unknown): unknown {
  if (!(error instanceof FlavrError)) return error;
  return new FlavrError(error.code, error.message, 'cause' in error ? { cause: error.cause } : undefined);
}

/** A caller's value as a message shows it: '2' is told from 2, and there is none that cannot be shown. */
export const shown = (value: unknown): string =>
  inspect(value, { depth: 0, customInspect: false, maxArrayLength: 3, maxStringLength: 80, breakLength: Infinity });

/** The error a call rejects with when its `AbortSignal` fires; the signal's own reason is kept as the cause. */
export function abortError(signal: AbortSignal): FlavrError {
  return new FlavrError('ABORTED', 'The operation was aborted by its signal.', { cause: signal.reason });
}

/** @throws FlavrError `ABORTED` if it has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** `error` itself if it is ours, else wrapped under `code` with `context` in front of its message. */
export function asFlavrError(error: unknown, code: FlavrErrorCode, context: string): FlavrError {
  if (error instanceof FlavrError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new FlavrError(code, `${context}: ${detail}`, { cause: error });
}
