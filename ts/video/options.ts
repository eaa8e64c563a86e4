import { CALLBACK, FLAG, type Kind, type Kinds, oneOf, PATH, SIGNAL, TEXT } from '../arguments.js';
import type { BackendName, Progress } from '../backends/backend.js';
import type { Calibration } from '../model/calibration.js';
import { MODEL, type Model } from '../model/config.js';
import type { Precision } from '../model/graph-spec.js';
import { FACTOR, RUN_OPTIONS } from '../options.js';
import { EXACT, type Rational } from '../rational.js';
import type { VideoTimings } from './timings.js';

/** What `interpolateVideo` can be told. At most one of `k`, `fps` and `slow`; none of them: `k` is the model's own factor. */
export interface InterpolateVideoOptions {
  /** Every gap is divided in k: N frames become (N-1)*k + 1 in the same time. One of the model's factors, or 1. */
  readonly k?: number | undefined;
  /**
   * A constant target rate in frames per second, for example 60 or `60000/1001`. Each output shows the nearest instant of a
   * gap that is divided by the smallest factor giving at least as many frames; a rate no higher than the source's takes
   * source frames only.
   */
  readonly fps?: Rational | number | string | undefined;
  /** Keeps the source's rate and stretches time by this factor, which is one of the model's. */
  readonly slow?: number | undefined;
  /** With `slow`, what becomes of the sound: left out, or as much slower at the same pitch. Default: drop. */
  readonly audio?: 'drop' | 'stretch' | undefined;

  /** A bundled model's name, a path, or a loaded model. Default: the bundled one that does `k` (or `slow`) in the fewest passes; without them, mini-2x. */
  readonly model?: string | Model | undefined;
  /** An engine file written by `buildEngine`, in place of a model. */
  readonly engine?: string | undefined;
  /** Default `auto`: the first of tensorrt, tensorrt-rtx, cpu that can run here. One that is named is never replaced. */
  readonly backend?: 'auto' | BackendName | undefined;
  /** Number of the GPU. Default 0. No effect on the CPU. */
  readonly device?: number | undefined;
  /** Default: fp16 on a GPU, fp32 on the CPU. */
  readonly precision?: Precision | 'tf32' | undefined;
  /** With precision int8; see `OpenOptions`. */
  readonly calibration?: string | Calibration | undefined;
  /** Of the CPU backend and of the encoder. Default: as many as the process may use cores. */
  readonly threads?: number | undefined;
  /**
   * On Linux and on the CPU, gives all threads of this process but the JavaScript one the lowest priority, behind the model's,
   * for good: decoding and encoding then hardly slow the model down. For programs that do nothing else, as the command
   * line does; default false.
   */
  readonly yieldToModel?: boolean | undefined;

  /** FFmpeg's encoder name; of a folder of images png or jpeg. Default: by container (H.264 for mp4, mov, mkv; VP9 for webm). */
  readonly codec?: string | undefined;
  /**
   * Constant rate factor of encoders that have one; lower is better and larger. Default: 18 for H.264 and 24 for VP9, near
   * the point from which no loss is seen.
   */
  readonly crf?: number | undefined;
  /** Options of the encoder or the muxer by FFmpeg's names; `pix_fmt` chooses the pixel format. */
  readonly encoderOptions?: Readonly<Record<string, string>> | undefined;

  /** From 0 (everything is a cut) to 1 (nothing is), or `off`. Default 0.25, between real cuts and fast motion. */
  readonly sceneThreshold?: number | 'off' | undefined;
  /** Seconds from the start of the video: only this part is written. */
  readonly start?: Rational | number | string | undefined;
  /** Seconds of the source, from `start` on. Default: to its end. */
  readonly duration?: Rational | number | string | undefined;
  /**
   * Ignore the source's timestamps: frame n is at n / inputFps. Sound, subtitles and chapters, which keep theirs, are then
   * left out. Of a folder of images, the rate; default 24.
   */
  readonly inputFps?: Rational | number | string | undefined;
  /** Makes whole frames of interlaced ones first. Default: they are taken as they lie, with a warning. */
  readonly deinterlace?: boolean | undefined;
  /** Take HDR (PQ, HLG) sources all the same, reduced to 8 bits. Default: they are `VIDEO_UNSUPPORTED`. */
  readonly force8bit?: boolean | undefined;
  /** Replace an existing output. Default: `OUTPUT_EXISTS`. */
  readonly overwrite?: boolean | undefined;

  /** Ends the run with `ABORTED`, at once; nothing of the output is left. */
  readonly signal?: AbortSignal | undefined;
  /** Called at most a few times a second while frames are written. */
  readonly onProgress?: ((progress: VideoProgress) => void) | undefined;
  /** Called while an engine is built or loaded, before the first frame. */
  readonly onPrepare?: ((progress: Progress) => void) | undefined;
  /** Called once per warning, when it arises; the summary lists them too. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

const THRESHOLD: Kind = {
  words: "a number from 0 to 1, or 'off'",
  fits: (value) => value === 'off' || (typeof value === 'number' && value >= 0 && value <= 1),
};
const RATE_FACTOR: Kind = {
  words: 'a number from 0',
  fits: (value) => Number.isFinite(value) && (value as number) >= 0,
};
const ENCODER_OPTIONS: Kind = {
  words: 'an object whose values are text',
  fits: (value) => typeof value === 'object' && value !== null && Object.values(value).every(TEXT.fits),
};

export const VIDEO_OPTIONS: Kinds<InterpolateVideoOptions> = {
  k: FACTOR,
  fps: EXACT,
  slow: FACTOR,
  audio: oneOf('drop', 'stretch'),
  model: MODEL,
  engine: PATH,
  ...RUN_OPTIONS,
  yieldToModel: FLAG,
  codec: TEXT,
  crf: RATE_FACTOR,
  encoderOptions: ENCODER_OPTIONS,
  sceneThreshold: THRESHOLD,
  start: EXACT,
  duration: EXACT,
  inputFps: EXACT,
  deinterlace: FLAG,
  force8bit: FLAG,
  overwrite: FLAG,
  signal: SIGNAL,
  onProgress: CALLBACK,
  onPrepare: CALLBACK,
  onWarning: CALLBACK,
};

/** How far a run has come. */
export interface VideoProgress {
  /** Source frames read, and frames written. */
  readonly framesIn: number;
  readonly framesOut: number;
  /** Expected in all; undefined where the container does not say. */
  readonly framesTotal: number | undefined;
  /** Output frames per second of wall time, over the last seconds. */
  readonly rate: number;
  /** Seconds to the end at this rate; undefined where the total is not known. */
  readonly etaSeconds: number | undefined;
}

/** What a run did. */
export interface VideoSummary {
  /** The paths, as they were given. */
  readonly input: string;
  readonly output: string;
  /** Size of the output's pictures in pixels, as they are stored: before the rotation that the file states, if it does. */
  readonly width: number;
  readonly height: number;
  /** Source frames read, and frames written. */
  readonly framesIn: number;
  readonly framesOut: number;
  /** Length of the output, exact. */
  readonly duration: Rational;
  /** When each new shot begins in the source, in seconds from the start of the video, as `start` counts. */
  readonly cuts: readonly Rational[];
  /** Sentences for people: what was assumed, reduced or left out. */
  readonly warnings: readonly string[];
  /** The model's name, and what ran it. */
  readonly model: string;
  readonly backend: BackendName;
  /** Windows that went through the model. */
  readonly windows: number;
  /** Wall time from call to finished file. */
  readonly seconds: number;
  /** Where the time went, stage by stage. */
  readonly timings: VideoTimings;
}
