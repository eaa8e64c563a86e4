import type { BackendName, Progress } from '../backends/backend.js';
import type { Calibration } from '../model/calibration.js';
import type { Model } from '../model/config.js';
import type { Precision } from '../model/graph-spec.js';
import type { Rational } from '../rational.js';
import type { VideoTimings } from './timings.js';

/** What `interpolateVideo` can be told. At most one of `k`, `fps` and `slow`; none of them: `k` is the model's own factor. */
export interface InterpolateVideoOptions {
  /** Every gap is divided in k: N frames become (N-1)*k + 1 in the same time. */
  readonly k?: number | undefined;
  /** A constant target rate in frames per second, for example 60 or `60000/1001`. */
  readonly fps?: Rational | number | string | undefined;
  /** Keeps the source's rate and stretches time by this factor. */
  readonly slow?: number | undefined;
  /** With `slow`, what becomes of the sound. Default: drop. */
  readonly audio?: 'drop' | 'stretch' | undefined;

  /** A bundled model's name, a path, or a loaded model. Default: the bundled 2x model. */
  readonly model?: string | Model | undefined;
  /** An engine file written by `buildEngine`, in place of a model. */
  readonly engine?: string | undefined;
  readonly backend?: 'auto' | BackendName | undefined;
  readonly device?: number | undefined;
  readonly precision?: Precision | 'tf32' | undefined;
  /** With precision int8; see `OpenOptions`. */
  readonly calibration?: string | Calibration | undefined;
  readonly threads?: number | undefined;
  /**
   * On Linux and on the CPU, gives all threads of this process but the JavaScript one the lowest priority, behind the model's,
   * for good: decoding and encoding then hardly slow the model down. For programs that do nothing else, as the command
   * line does; default false.
   */
  readonly yieldToModel?: boolean | undefined;

  /** FFmpeg's encoder name. Default: by container. */
  readonly codec?: string | undefined;
  /** Constant rate factor of encoders that have one; lower is better and larger. */
  readonly crf?: number | undefined;
  readonly encoderOptions?: Readonly<Record<string, string>> | undefined;

  /** From 0 (everything is a cut) to 1 (nothing is), or `off`. */
  readonly sceneThreshold?: number | 'off' | undefined;
  /** Seconds from the start of the video: only this part is written. */
  readonly start?: Rational | number | string | undefined;
  readonly duration?: Rational | number | string | undefined;
  /**
   * Ignore the source's timestamps: frame n is at n / inputFps. Sound, subtitles and chapters, which keep theirs, are then
   * left out. Of a folder of images, the rate; default 24.
   */
  readonly inputFps?: Rational | number | string | undefined;
  readonly deinterlace?: boolean | undefined;
  /** Take HDR (PQ, HLG) sources all the same, reduced to 8 bits. */
  readonly force8bit?: boolean | undefined;
  /** Replace an existing output. Default: `OUTPUT_EXISTS`. */
  readonly overwrite?: boolean | undefined;

  readonly signal?: AbortSignal | undefined;
  /** Called at most a few times a second while frames are written. */
  readonly onProgress?: ((progress: VideoProgress) => void) | undefined;
  /** Called while an engine is built or loaded, before the first frame. */
  readonly onPrepare?: ((progress: Progress) => void) | undefined;
  /** Called once per warning, when it arises; the summary lists them too. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

export interface VideoProgress {
  readonly framesIn: number;
  readonly framesOut: number;
  /** Expected in all; undefined where the container does not say. */
  readonly framesTotal: number | undefined;
  /** Output frames per second of wall time, over the last seconds. */
  readonly rate: number;
  readonly etaSeconds: number | undefined;
}

export interface VideoSummary {
  readonly input: string;
  readonly output: string;
  /** Size of the output's pictures in pixels, as they are stored: before the rotation that the file states, if it does. */
  readonly width: number;
  readonly height: number;
  readonly framesIn: number;
  readonly framesOut: number;
  /** Length of the output, exact. */
  readonly duration: Rational;
  /** Time on the source's clock of the first frame of each new shot. */
  readonly cuts: readonly Rational[];
  readonly warnings: readonly string[];
  readonly model: string;
  readonly backend: BackendName;
  /** Windows that went through the model. */
  readonly windows: number;
  /** Wall time from call to finished file. */
  readonly seconds: number;
  /** Where the time went, stage by stage. */
  readonly timings: VideoTimings;
}
