import { stat } from 'node:fs/promises';
import { FlavrError } from '../errors.js';
import { add, compare, divide, multiply, type Rational, rational, subtract, toNumber, ZERO } from '../rational.js';
import type { RawVideo, RawVideoOptions } from './raw-video.js';
import { readAhead } from './read-ahead.js';
import { FileVideo } from './source-file.js';
import { ImageFolder } from './source-images.js';
import { StageClock } from './stage-clock.js';
import { countFrames, cutRange, dateFrames } from './timestamps.js';
import type { AllocateFrame, SourceFrame, SourceOptions, VideoInfo, VideoSource } from './types.js';

// Enough to keep decoding busy beside the model; each is a whole picture.
const DECODE_AHEAD = 2;

/**
 * Opens a video file, a GIF or a folder of images for reading.
 *
 * Frames come as rgb24 with the exact times of the source's own timestamps. What FFmpeg can read of a damaged file is
 * read, and `warnings` says what is missing; a file of which nothing can be decoded is an error. Only this one local file
 * is ever opened, whatever it refers to.
 *
 * An alpha channel counts only if some pixel is not opaque, which is found out by decoding up to the first such pixel.
 *
 * @throws FlavrError `VIDEO_UNREADABLE` (absent, empty, no video, nothing decodable), `VIDEO_UNSUPPORTED` (HDR without
 * `force8bit`, images of different sizes, absurd sizes, no decoder), `BAD_ARGUMENT` (a range without frames),
 * `PEER_MISSING`, `ABORTED`
 */
export async function openSource(path: string, options: SourceOptions = {}): Promise<VideoSource> {
  checkOptions(options);
  const warnings: string[] = [];
  const warn = (text: string) => {
    if (!warnings.includes(text)) warnings.push(text);
  };
  const { deinterlace = false, force8bit = false, signal, clock = new StageClock() } = options;
  const open = (alpha: boolean) => openRaw(path, { alpha, deinterlace, force8bit, signal, clock, warn });
  let raw = await open(true);
  try {
    // Without any timestamps, frames are counted.
    const rate = options.inputFps ?? (raw.origin ? undefined : divide(rational(1), raw.nominalDuration));
    let { info } = raw;
    if (info.alpha) {
      const alpha = await hasTransparency(timedFrames(raw, rate, options, warn).frames);
      await raw.close();
      raw = await open(alpha);
      info = { ...info, alpha };
    }
    if (rate) info = countedInfo(info, rate);
    if (rate && !options.inputFps && info.kind !== 'images') {
      warn(`${path} has no timestamps; ${toNumber(rate)} frames per second are assumed. Set inputFps (--input-fps).`);
    }
    const { frames, end } = timedFrames(raw, rate, options, warn);
    const first = await frames.next();
    if (first.done) {
      throw new FlavrError('BAD_ARGUMENT', noFrames(path, info, options));
    }
    const range = options.start || options.duration ? { start: first.value.time, end } : undefined;
    const origin = (rate ? undefined : raw.origin) ?? ZERO;
    const facts = { path, info, warnings, origin, range, length: lengthOf(info, options) };
    return new Source(facts, raw, first.value, frames);
  } catch (error) {
    await raw.close();
    throw error;
  }
}

/** How long the range that the options name is, within the video. */
function lengthOf({ duration: whole }: VideoInfo, { start = ZERO, duration }: SourceOptions): Rational | undefined {
  const rest = whole && subtract(whole, start);
  return rest && duration && compare(duration, rest) > 0 ? rest : (duration ?? rest);
}

/** Why a range holds no frames. */
function noFrames(path: string, info: VideoInfo, { start = ZERO, duration }: SourceOptions): string {
  const length = info.duration ? `, which is ${toNumber(info.duration).toFixed(2)} s long` : '';
  const from = toNumber(start);
  return duration
    ? `No frame of ${path}${length}, begins from ${from} to ${toNumber(add(start, duration))} s. Choose another start or a longer duration.`
    : `start (${from} s) lies behind the last frame of ${path}${length}.`;
}

/** The same video with its frames counted at `rate`. */
function countedInfo(info: VideoInfo, rate: Rational): VideoInfo {
  const timeBase = divide(rational(1), rate);
  const duration = info.frameCount === undefined ? undefined : multiply(rational(info.frameCount), timeBase);
  return { ...info, frameRate: rate, densestRate: undefined, timeBase, duration };
}

function checkOptions({ start, duration, inputFps }: SourceOptions): void {
  const require = (holds: boolean, what: string, value: Rational) => {
    if (!holds) throw new FlavrError('BAD_ARGUMENT', `${what}; got ${toNumber(value)}.`);
  };
  if (start) require(start.num >= 0n, 'start must be 0 or more seconds', start);
  if (duration) require(duration.num > 0n, 'duration must be more than 0 seconds', duration);
  if (inputFps) require(inputFps.num > 0n, 'inputFps must be more than 0 frames per second', inputFps);
}

class Source implements VideoSource {
  readonly path: string;
  readonly info: VideoInfo;
  readonly warnings: readonly string[];
  readonly origin: Rational;
  readonly range: VideoSource['range'];
  readonly length: Rational | undefined;
  readonly #raw: RawVideo;
  readonly #first: SourceFrame;
  #rest: AsyncGenerator<SourceFrame, void, undefined> | undefined;

  constructor(
    facts: Pick<VideoSource, 'path' | 'info' | 'warnings' | 'origin' | 'range' | 'length'>,
    raw: RawVideo,
    first: SourceFrame,
    rest: AsyncGenerator<SourceFrame, void, undefined>,
  ) {
    this.path = facts.path;
    this.info = facts.info;
    this.warnings = facts.warnings;
    this.origin = facts.origin;
    this.range = facts.range;
    this.length = facts.length;
    this.#raw = raw;
    this.#first = first;
    this.#rest = rest;
  }

  async *frames(allocate?: AllocateFrame): AsyncGenerator<SourceFrame, void, undefined> {
    const rest = this.#rest;
    if (!rest) throw new FlavrError('BAD_ARGUMENT', `${this.path} is being read already; open it once more.`);
    this.#rest = undefined;
    if (allocate) this.#raw.allocate = allocate;
    yield this.#first;
    yield* readAhead(rest, DECODE_AHEAD);
  }

  close(): Promise<void> {
    return this.#raw.close();
  }
}

async function openRaw(path: string, options: RawVideoOptions): Promise<RawVideo> {
  const folder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return folder ? ImageFolder.open(path, options) : FileVideo.open(path, options);
}

/** The frames of the range that the options name, exactly dated, and where that range ends. */
function timedFrames(raw: RawVideo, rate: Rational | undefined, options: SourceOptions, warn: (text: string) => void) {
  const start = options.start ?? ZERO;
  const from = rate || !raw.origin ? start : add(raw.origin, start);
  const end = options.duration && add(from, options.duration);
  if (rate) {
    const { num, den } = multiply(start, rate);
    const skip = Number((num + den - 1n) / den);
    return { frames: cutRange(countFrames(raw.frames({ skip }), rate, skip), from, end), end };
  }
  const frames = raw.frames(start.num > 0n ? { time: from } : { skip: 0 });
  const onRepair = () => warn('Some timestamps are missing or out of order; evenly spaced ones take their place.');
  return { frames: cutRange(dateFrames(frames, raw.nominalDuration, onRepair), from, end), end };
}

/** Whether any pixel of the range is not opaque. */
async function hasTransparency(frames: AsyncIterable<{ alpha: Uint8Array | undefined }>): Promise<boolean> {
  for await (const { alpha } of frames) if (alpha?.some((value) => value < 255)) return true;
  return false;
}
