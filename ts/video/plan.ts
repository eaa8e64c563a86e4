import { FlavrError } from '../errors.js';
import { divide, exactly, multiply, type Rational, rational, toNumber } from '../rational.js';
import type { InterpolateVideoOptions } from './options.js';
import type { SinkOptions, SourceOptions, VideoSource } from './types.js';

/** What becomes of a video's frames: each gap divided in k, or instants at a rate; then everything times `slow`. */
export interface Steps {
  readonly k: number | undefined;
  readonly fps: Rational | undefined;
  readonly slow: number;
}

/**
 * Reads `k`, `fps` and `slow`; undefined if none is given, which means the model's own factor.
 * @throws FlavrError `BAD_ARGUMENT`
 */
export function requestedSteps({ k, fps, slow, audio }: InterpolateVideoOptions): Steps | undefined {
  const given = Object.entries({ k, fps, slow }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `Only one of k, fps and slow can be given; got ${given.map(([name]) => name).join(' and ')}.`,
    );
  }
  if (audio !== undefined && slow === undefined) {
    throw new FlavrError('BAD_ARGUMENT', 'audio says what becomes of the sound in slow motion; give slow with it.');
  }
  if (fps !== undefined) {
    const rate = exactly(fps, 'fps');
    if (rate.num <= 0n) throw new FlavrError('BAD_ARGUMENT', `fps must be more than 0; got ${toNumber(rate)}.`);
    return { k: undefined, fps: rate, slow: 1 };
  }
  if (slow !== undefined) return { k: slow, fps: undefined, slow };
  return k === undefined ? undefined : { k, fps: undefined, slow: 1 };
}

/** What is said of reading the source, with exact times. @throws FlavrError `BAD_ARGUMENT` */
export function sourceOptions(options: InterpolateVideoOptions): SourceOptions {
  const { start, duration, inputFps, deinterlace, force8bit, signal } = options;
  return {
    start: start === undefined ? undefined : exactly(start, 'start'),
    duration: duration === undefined ? undefined : exactly(duration, 'duration'),
    inputFps: inputFps === undefined ? undefined : exactly(inputFps, 'inputFps'),
    deinterlace,
    force8bit,
    signal,
  };
}

/** The rate to declare for the output, and the step of its clock where one is known. */
export function outputClock(
  info: VideoSource['info'],
  { k, fps, slow }: Steps,
): Pick<SinkOptions, 'frameRate' | 'timeBase'> {
  if (fps) return { frameRate: fps, timeBase: undefined };
  const factor = divide(rational(k ?? 1), rational(slow));
  return {
    frameRate: info.frameRate && multiply(info.frameRate, factor),
    timeBase: info.timeBase && divide(info.timeBase, factor),
  };
}

/** How many frames will come out, as far as the container tells; exact only if it is. */
export function expectedFrames(
  { info, range, length }: Pick<VideoSource, 'info' | 'range' | 'length'>,
  { k, fps }: Steps,
): number | undefined {
  if (fps) return length && Math.ceil(toNumber(multiply(length, fps)));
  const counted = range ? undefined : info.frameCount;
  const frames = counted ?? (length && info.frameRate && Math.round(toNumber(multiply(length, info.frameRate))));
  return frames && (Math.max(1, frames) - 1) * (k ?? 1) + 1;
}
