import type { Frame, FrameFormat } from '../frame.js';
import type { BuiltModel, Model } from '../model/config.js';
import type { Lowering, Precision } from '../model/graph-spec.js';

/** What runs a model: TensorRT, TensorRT-RTX, or ONNX Runtime on the CPU. */
export type BackendName = 'tensorrt' | 'tensorrt-rtx' | 'cpu';

/** What a backend reports while something slow happens before the first window can run. */
export interface Progress {
  /** For example `build engine`. */
  readonly stage: string;
  /** From 0 to 1, or undefined where the end is not known. */
  readonly fraction: number | undefined;
}

export interface SessionOptions {
  /** A built engine runs on the backend it was built for. */
  readonly model: Model | BuiltModel;
  readonly format: FrameFormat;
  /** Pass factors to prepare before `openSession` resolves; each a divisor of the model's factor. */
  readonly factors: readonly number[];
  /** Most windows in one `infer`. */
  readonly batch: number;
  /** Most `infer` calls that run at a time; the caller never has more under way. */
  readonly inFlight: number;
  readonly precision: Precision | 'tf32';
  readonly lowering?: Lowering | undefined;
  readonly threads?: number | undefined;
  readonly device?: number | undefined;
  readonly cacheDir?: string | undefined;
  readonly graphs?: 'auto' | 'off' | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told what the caller should know but did not ask, such as that another process is waited for. One sentence each. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Backend {
  readonly name: BackendName;
  /** Undefined if the backend can run here, else the reason why not, as a sentence with the fix. */
  unavailable(): Promise<string | undefined>;
  /** @throws FlavrError `OUT_OF_MEMORY` with the numbers and the largest size that fits, before memory is taken. */
  openSession(options: SessionOptions): Promise<Session>;
}

/**
 * A model on a device, for frames of one format. All methods are called from one JavaScript thread and none blocks it.
 * Scheduling (which windows, in which order, for which video, how many at a time) is the caller's; a session runs what it
 * is given in the order it is given.
 */
export interface Session {
  readonly backend: BackendName;
  /** Makes windows of this factor ready to run (graph or engine), if they are not. */
  prepare(
    factor: number,
    options?: { onProgress?: ((progress: Progress) => void) | undefined; signal?: AbortSignal | undefined },
  ): Promise<void>;
  /**
   * A ring of device frames for one video. Frames uploaded one after another lie side by side where they can, so that
   * consecutive windows of one shot need no copy on the device.
   * @param capacity most slots held at one time.
   */
  openLane(capacity: number): Lane;
  /** Runs a batch. Windows may come from several lanes; all have the same factor. Outputs in the order of the windows. */
  infer(batch: Batch): Promise<readonly InferredWindow[]>;
  /** A frame that the device reads in place (where the backend has such memory), else an ordinary one. */
  allocFrame(): Frame;
  /** Gives the memory of an output, or of a frame from `allocFrame`, back at once. Any other frame: no effect. */
  release(frame: Frame): void;
  stats(): SessionStats;
  /**
   * Ends what runs, or waits for it where it cannot be ended (`infer` may then reject with `DISPOSED`), and frees everything
   * but frames that the caller still holds. Lanes may be closed, and frames released, after it. Idempotent.
   */
  dispose(): Promise<void>;
}

/** One frame on the device. Belongs to its lane; free it there once no further window needs it. */
export interface Slot {
  readonly lane: Lane;
}

export interface Lane {
  /**
   * Hands a frame over. Returns at once; the frame must not change until a window that uses it has come back (the first
   * one does: the device has it by then) or `slot` was freed, unless `copy` is set, which takes a copy before returning.
   */
  upload(frame: Frame, options?: { copy?: boolean }): Slot;
  free(slot: Slot): void;
  /** Frees all slots. The caller has no window of this lane under way. */
  close(): void;
}

export interface Window {
  /** 2C slots in order of time; the same slot may appear more than once (clamped edges). */
  readonly slots: readonly Slot[];
  /**
   * If set, each output also stays on the device in this lane, for a window of the next pass: `InferredWindow.slots`.
   */
  readonly keepIn?: Lane | undefined;
}

export interface Batch {
  readonly factor: number;
  /** From 1 to `SessionOptions.batch`. A backend may pad a short batch by repeating its last window. */
  readonly windows: readonly Window[];
}

export interface InferredWindow {
  /** The factor-1 new frames in order of time, each with an ArrayBuffer of its own. */
  readonly frames: readonly Frame[];
  /** The same frames on the device, if the window asked for it. */
  readonly slots: readonly Slot[];
}

/** What an open interpolator has done since it was opened, and what it holds now. */
export interface SessionStats {
  /** Windows run (without padding of short batches) and batches run. */
  readonly windows: number;
  readonly batches: number;
  /** Frames copied in host memory on the way in, and on the way out. */
  readonly hostCopiesIn: number;
  readonly hostCopiesOut: number;
  /** Batches whose windows had to be gathered on the device. */
  readonly gathers: number;
  /** Output blocks free in the pool, and in the hands of the caller. */
  readonly framesPooled: number;
  readonly framesLent: number;
  /** Time spent in the model, in milliseconds. */
  readonly inferMs: number;
  /** On a GPU: runs captured as device graphs, and whether a capture failed, after which everything runs plainly. */
  readonly graphs?: number;
  readonly graphsFailed?: boolean;
  /** Bytes the session holds on device and host, as estimated before they were taken. */
  readonly memoryBytes: number;
}
