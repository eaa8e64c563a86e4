import type { Rational } from '../rational.js';
import type { ReadClock, WriteClock } from './stage-clock.js';

/** Colour description by FFmpeg's numbers (ISO/IEC 23091-2); 2 is "unspecified". */
export interface ColorInfo {
  readonly primaries: number;
  readonly transfer: number;
  readonly matrix: number;
  readonly range: number;
  /** Where subsampled chroma lies; 0 or undefined is unspecified. */
  readonly chromaLocation?: number | undefined;
}

/** What the source is, as far as the sink and the summary need to know. */
export interface VideoInfo {
  readonly kind: 'video' | 'gif' | 'images';
  /** Stored size in pixels, before rotation; even and odd sizes both occur. */
  readonly width: number;
  readonly height: number;
  /** Nominal rate as the container states it; frames carry their own times, so it is only a hint. */
  readonly frameRate: Rational | undefined;
  /** Where frames come closer together in places than that: the rate at which each has a place of its own, as far as is known. */
  readonly densestRate?: Rational | undefined;
  /** The step of the source's clock: every frame's time and duration is a whole multiple of it, where the source has one. */
  readonly timeBase?: Rational | undefined;
  readonly duration: Rational | undefined;
  /** As stated by the container, or undefined; only decoding tells for sure. */
  readonly frameCount: number | undefined;
  /** FFmpeg's name, for example `yuv420p10le`. */
  readonly pixelFormat: string;
  readonly bitDepth: number;
  readonly alpha: boolean;
  readonly interlaced: boolean;
  /** Clockwise display rotation in degrees as stored beside the stream. */
  readonly rotation: number;
  /** Whether left and right are exchanged before the rotation. Default: no. */
  readonly mirrored?: boolean | undefined;
  readonly sampleAspect: Rational;
  readonly color: ColorInfo;
  /** Of HDR video, as FFmpeg lays them out in memory: the display it was made on, and how bright it becomes. */
  readonly masteringDisplay?: Buffer | undefined;
  readonly contentLight?: Buffer | undefined;
  readonly codec: string;
}

export interface SourceFrame {
  /** rgb24, rows without padding. */
  readonly data: Uint8Array;
  /** One byte per pixel, where the source has an alpha channel. */
  readonly alpha: Uint8Array | undefined;
  /** Seconds on the source's own clock, exact. */
  readonly time: Rational;
  /** Until the next frame, exact; of the last frame as the source states it, else the one before it. */
  readonly duration: Rational;
}

export interface SourceOptions {
  /** Seconds from the start of the video. Frames from `start` (inclusive) to `start + duration` (exclusive). */
  readonly start?: Rational | undefined;
  readonly duration?: Rational | undefined;
  /** Ignore the source's timestamps: frame n is at n / inputFps. The rate of a folder of images (default 24). */
  readonly inputFps?: Rational | undefined;
  readonly deinterlace?: boolean | undefined;
  /** Take HDR (PQ, HLG) sources all the same. */
  readonly force8bit?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Takes the times of the stages. */
  readonly clock?: ReadClock | undefined;
}

/** Gives memory for one rgb24 frame, of any content. */
export type AllocateFrame = () => Uint8Array;

/** A video being read. Iterate once; `close` may be called at any time and more than once. */
export interface VideoSource {
  readonly path: string;
  readonly info: VideoInfo;
  /** Sentences for people: reduced bit depth, interlaced content, guessed values. May grow while reading. */
  readonly warnings: readonly string[];
  /** Time of the video's first frame on its own clock, from which `start` counts. */
  readonly origin: Rational;
  /**
   * The part that is read, on the source's own clock: from the first frame that comes to where the range was said to end
   * (exclusive). Undefined if neither `start` nor `duration` was given.
   */
  readonly range: { readonly start: Rational; readonly end: Rational | undefined } | undefined;
  /** How long what is read lasts, as far as the container tells. */
  readonly length: Rational | undefined;
  /**
   * May be called once.
   * @param allocate where frames are put that were not read before, to open the source. Default: each in an ArrayBuffer of its own.
   */
  frames(allocate?: AllocateFrame): AsyncIterable<SourceFrame>;
  close(): Promise<void>;
}

export interface SinkOptions {
  readonly info: VideoInfo;
  /** Rate to declare: exact frames carry their own times. */
  readonly frameRate: Rational | undefined;
  /**
   * A step of which every time and duration that comes is a whole multiple (after `range.start` is taken off and `slow`
   * applied), where the caller knows one: the source's time base divided by k. The file's clock is made to hold it
   * exactly where the container can. Default: from `frameRate` and the source's own clock.
   */
  readonly timeBase?: Rational | undefined;
  /** The source file whose audio, subtitles, chapters, attachments and metadata are copied; undefined: none (GIF, images). */
  readonly copyFrom: string | undefined;
  /**
   * The part of the source that is written, on the source's clock, for cutting what is copied. Times of written frames
   * are on the source's clock too: the file starts at `start`. Default: all of it, at the source's own times.
   */
  readonly range: { readonly start: Rational; readonly end: Rational | undefined } | undefined;
  /**
   * Times (of frames, subtitles, chapters) are multiplied by this in the sink (slow motion); audio is then dropped or
   * stretched. 1: as they come.
   */
  readonly slow: number;
  readonly audio: 'keep' | 'drop' | 'stretch';
  /** FFmpeg's encoder name; default by container. */
  readonly codec: string | undefined;
  readonly crf: number | undefined;
  readonly encoderOptions: Readonly<Record<string, string>>;
  readonly overwrite: boolean;
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Takes the times of the stages. */
  readonly clock?: WriteClock | undefined;
}

/** A video being written, under a temporary name beside the final one until `finish`. */
export interface VideoSink {
  readonly path: string;
  /** What is written; of the source's, size and rotation may differ. */
  readonly info: VideoInfo;
  readonly warnings: readonly string[];
  /**
   * Takes frames in order of time; resolves when the next may come (back-pressure), to whether this one was written: where
   * more come than the output can hold, some are left out, with a warning. The data may be reused after that.
   */
  write(frame: {
    data: Uint8Array;
    alpha: Uint8Array | undefined;
    time: Rational;
    duration: Rational;
  }): Promise<boolean>;
  /** Flushes, copies what remains of the other streams, and gives the file its final name. */
  finish(): Promise<void>;
  /** Removes everything that was written. Idempotent; after `finish` without effect. */
  abort(): Promise<void>;
}
