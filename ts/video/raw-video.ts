import { MAX_SIDE } from '../frame.js';
import type { Rational } from '../rational.js';
import type { ReadClock } from './stage-clock.js';
import type { Stamped } from './timestamps.js';
import type { AllocateFrame, VideoInfo } from './types.js';

/** A frame as it was decoded, not yet reliably dated. */
export interface RawFrame extends Stamped {
  /** rgb24, rows without padding, in memory from `RawVideo.allocate`. */
  readonly data: Uint8Array;
  readonly alpha: Uint8Array | undefined;
}

/** Where reading begins: near a time (frames a little before it may come too), or after this many frames. */
export type Position = { readonly time: Rational } | { readonly skip: number };

/** One pass over a video: what a container or a folder gives, before ranges and repaired times. */
export interface RawVideo {
  readonly info: VideoInfo;
  /** The first frame's time; undefined where frames carry none and are counted instead. */
  readonly origin: Rational | undefined;
  /** What a frame lasts where nothing states it. */
  readonly nominalDuration: Rational;
  /** Where frames are put; may be changed between two of them. */
  allocate: AllocateFrame;
  /** May be called once. @throws FlavrError `VIDEO_UNREADABLE`, `ABORTED`, and `DISPOSED` after `close`. */
  frames(from: Position): AsyncGenerator<RawFrame, void, undefined>;
  close(): Promise<void>;
}

export interface RawVideoOptions {
  /** Whether frames come with their alpha channel, where there is one. */
  readonly alpha: boolean;
  readonly deinterlace: boolean;
  readonly force8bit: boolean;
  readonly signal: AbortSignal | undefined;
  readonly clock: ReadClock;
  /** Told sentences for people, each once. */
  readonly warn: (warning: string) => void;
}

/** Memory that is a frame's own, and the garbage collector's once the frame is gone. */
export const ownMemory =
  ({ width, height }: VideoInfo): AllocateFrame =>
  () =>
    // Every byte is written before anyone sees it.
    new Uint8Array(Buffer.allocUnsafeSlow(width * height * 3).buffer);

/** Most pixels of a picture, about those of 16K: more is a broken or hostile file. */
export const MAX_PIXELS = 2 ** 27;

/** Whether a stated size can be a video's; to be asked before memory is taken for it. */
export const fitsLimits = (width: number, height: number): boolean =>
  width >= 1 && height >= 1 && width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS;
