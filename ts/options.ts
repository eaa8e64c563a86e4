import {
  CALLBACK,
  checkArgument,
  either,
  FLAG,
  type Kind,
  type Kinds,
  listOf,
  needed,
  oneOf,
  PATH,
  SIGNAL,
  TEXT,
  whole,
} from './arguments.js';
import type { BackendName, Progress } from './backends/backend.js';
import { type Frame, type PixelFormat, SIDE } from './frame.js';
import { CALIBRATION, type Calibration } from './model/calibration.js';
import { MODEL, type Model } from './model/config.js';
import { LOWERINGS, type Lowering, type Precision } from './model/graph-spec.js';
import { EXACT, type Rational } from './rational.js';

/** What {@link Interpolator.open} takes. Only `width` and `height` are needed; a name that is not here is `BAD_ARGUMENT`, as in every call. */
export interface OpenOptions {
  /** Size of every frame, in pixels; 1 to 16384. */
  readonly width: number;
  readonly height: number;
  /**
   * Name of a bundled model, path of a checkpoint (.pth, .pt, .safetensors) or of an exported graph (.onnx), or what
   * `loadModel` gave. Default: the bundled model that does `k` in the fewest passes; without `k`, mini-2x.
   */
  readonly model?: string | Model | undefined;
  /** Path of an engine file written by `buildEngine`, in place of `model`. Needs a TensorRT backend. */
  readonly engine?: string | undefined;
  /** Default `auto`: the first of tensorrt, tensorrt-rtx, cpu that can run here. A backend that is named is never replaced. */
  readonly backend?: 'auto' | BackendName | undefined;
  /**
   * Default: fp16 on TensorRT, fp32 on the CPU (which computes fp16 graphs in float32 and gains nothing by them). int8, for
   * the CPU alone, is faster and less exact, and needs `calibration`.
   */
  readonly precision?: Precision | 'tf32' | undefined;
  /** With precision int8: what `calibrate` measured on frames like those that will come, or the path of its file. */
  readonly calibration?: string | Calibration | undefined;
  /** How the convolutions are written. Default: winograd on the CPU (a quarter of the time of 3d, up to four times its weights in memory), 3d on TensorRT. All give the same frames. */
  readonly lowering?: Lowering | undefined;
  /** Layout of a frame. Default: rgb24 with rows that follow one another without padding. */
  readonly format?: PixelFormat | undefined;
  /** Factors to prepare before `open` resolves. Default: the model's own. Others are prepared on first use. */
  readonly k?: number | readonly number[] | undefined;
  /** Number of the GPU. Default 0. */
  readonly device?: number | undefined;
  /** Most windows in one run of the model, from 1 to 64. Default 1. */
  readonly batch?: number | undefined;
  /** How long a batch that is not full waits for more windows while the device is free. Default 0: not at all. */
  readonly batchWaitMs?: number | undefined;
  /** Most batches handed to the device at a time, so that it never idles between two. Default 2. */
  readonly inFlight?: number | undefined;
  /** Most calls and streams that have windows queued at a time; others wait their turn. Default 16. */
  readonly maxActive?: number | undefined;
  /** Most calls and streams that may wait for such a turn; one more is refused with `BUSY`. Default 1024. */
  readonly maxQueued?: number | undefined;
  /** CUDA graphs. Default `auto`. No effect on the CPU. */
  readonly graphs?: 'auto' | 'off' | undefined;
  /**
   * Copies every frame as it is handed in, so that its memory may be reused at once; what comes out as an original is the
   * copy. Default false.
   */
  readonly copyInput?: boolean | undefined;
  /** Threads of the CPU backend. Default: as many as the process may use cores. */
  readonly threads?: number | undefined;
  /** Where engines are kept. Default: the user's cache folder. No effect on the CPU. */
  readonly cacheDir?: string | undefined;
  /** Told of slow steps before the first window can run. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told what the caller should know but did not ask, one sentence each. Default: a process warning, the first time. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
  /** Ends the opening. It has no effect on the open interpolator. */
  readonly signal?: AbortSignal | undefined;
}

export const FACTOR: Kind = whole(1);
export const PRECISION: Kind = oneOf('fp16', 'fp32', 'tf32', 'int8');

/** Of every call that runs a model. */
export const RUN_OPTIONS: Kinds<Pick<OpenOptions, 'backend' | 'device' | 'precision' | 'calibration' | 'threads'>> = {
  backend: oneOf('auto', 'tensorrt', 'tensorrt-rtx', 'cpu'),
  device: whole(0, 1024),
  precision: PRECISION,
  calibration: CALIBRATION,
  threads: whole(1, 1024),
};

export const OPEN_OPTIONS: Kinds<OpenOptions> = {
  width: needed(SIDE),
  height: needed(SIDE),
  model: MODEL,
  engine: PATH,
  ...RUN_OPTIONS,
  lowering: oneOf(...LOWERINGS),
  format: TEXT,
  k: either(FACTOR, listOf(FACTOR)),
  batch: whole(1, 64),
  batchWaitMs: whole(0, 60_000),
  inFlight: whole(1, 64),
  maxActive: whole(1, 4096),
  maxQueued: whole(0, 1_000_000),
  graphs: oneOf('auto', 'off'),
  copyInput: FLAG,
  cacheDir: PATH,
  onProgress: CALLBACK,
  onNotice: CALLBACK,
  signal: SIGNAL,
};

/**
 * Where shots begin: the index of the first frame of each shot but the first, or a function that is asked of every two
 * neighbours whether a cut lies between them (`index` is the second one's).
 */
export type Cuts = readonly number[] | ((before: Frame, after: Frame, index: number) => boolean | Promise<boolean>);

/** What {@link Interpolator.interpolate} and {@link Interpolator.stream} take besides frames and factor. */
export interface CallOptions {
  /** Nothing is interpolated across these. Default: none. */
  readonly cuts?: Cuts | undefined;
  /** Ends the call with `ABORTED`, at once; a window that is being computed is dropped when it comes. */
  readonly signal?: AbortSignal | undefined;
}

const CUTS: Kind = either(CALLBACK, {
  words: 'a list of whole numbers from 1, the index of the first frame of each new shot',
  fits: listOf(whole(1)).fits,
});

export const CALL_OPTIONS: Kinds<CallOptions> = { cuts: CUTS, signal: SIGNAL };

/** Either a factor or a target rate. */
export type TimedOptions = CallOptions &
  (
    | {
        /** Frames per source frame. */
        readonly k: number;
        readonly fps?: undefined;
      }
    | {
        /** Frames per second: a fraction, or a number or text such as 59.94 or '60000/1001', taken as written. */
        readonly fps: Rational | number | string;
        readonly k?: undefined;
      }
  );

export const TIMED_OPTIONS: Kinds<Pick<TimedOptions, keyof TimedOptions>> = { ...CALL_OPTIONS, k: FACTOR, fps: EXACT };

/** A source frame and its place in time. */
export interface TimedFrame {
  readonly data: Frame;
  /** Seconds, exact; greater than the time of the frame before. */
  readonly time: Rational;
  /** Seconds until the next frame. Only the last frame's counts; default: as long as the frame before it. */
  readonly duration?: Rational | undefined;
  /** True for the first frame of a new shot. */
  readonly cut?: boolean | undefined;
}

/** A frame of the result and its place in time. */
export interface TimedOutput {
  readonly data: Frame;
  /** Seconds, on the source's clock, exact. */
  readonly time: Rational;
  /** Seconds until the next frame of the result. */
  readonly duration: Rational;
  /** 0, 1, 2 … in the result. */
  readonly index: number;
  /** True if `data` is a source frame, the same object with the same bytes. */
  readonly original: boolean;
  /** What `data` shows, in source frames: 3 is frame 3, 7/2 lies midway between frames 3 and 4. */
  readonly position: Rational;
}

/** Any order of frames that can be awaited one by one. */
export type FrameSource<T> = AsyncIterable<T> | Iterable<T>;

const SOURCE: Kind = {
  words: 'iterable: an array, a generator, a stream',
  fits: (value) =>
    typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value),
};

/** @throws FlavrError `BAD_ARGUMENT` */
export const checkSource = (name: string, source: unknown): void => checkArgument(name, source, SOURCE);
