import { checkArgument, PATH, SIGNAL } from '../arguments.js';
import { FlavrError } from '../errors.js';
import { add, checkRational, compare, type Rational, rational, subtract, toNumber, ZERO } from '../rational.js';
import { CutDetector } from '../video/cuts.js';
import { openSource } from '../video/source.js';
import { INPUTS } from './data-set.js';
import type { BytePicture } from './prepare.js';

/** A window taken from a video. */
export interface VideoWindow {
  /** 2C pictures of one size, in order of time. */
  readonly frames: readonly BytePicture[];
  /** When each frame is shown, in seconds on the source's clock; a frame that is repeated has its own time each time. */
  readonly times: readonly number[];
}

// Enough frames before the gap in any usual video; where it is not, reading starts over from the beginning.
const RUN_UP = rational(2);

// The range that is asked for has an end, because that tells where on the source's clock it starts.
const LONGEST = rational(24 * 3600);

const noGap = (path: string, at: Rational, cause?: unknown) =>
  new FlavrError('BAD_ARGUMENT', `${path} has no gap at ${toNumber(at)} s: its frames end before.`, { cause });

interface Shown extends BytePicture {
  readonly time: Rational;
}

/**
 * The 2C frames around the gap at a time, as the model would get them: at an end of the video or of the shot the nearest
 * frame stands in.
 * @param at seconds from the start of the video.
 * @param inputs 2C, the model's; 4 in the published ones and those of the package.
 * @throws FlavrError `BAD_ARGUMENT` for a time that is no fraction, in no gap or in one that is a cut, or a window of no even
 * number of frames; what reading videos throws.
 */
export async function windowAt(path: string, at: Rational, inputs: number, signal?: AbortSignal): Promise<VideoWindow> {
  checkArgument('path', path, PATH);
  checkRational(at, 'at');
  checkArgument('inputs', inputs, INPUTS);
  if (signal !== undefined) checkArgument('signal', signal, SIGNAL);
  const start = compare(at, RUN_UP) > 0 ? subtract(at, RUN_UP) : ZERO;
  const found = await search(path, at, start, inputs, signal);
  if (found !== 'too few before') return found;
  return (await search(path, at, ZERO, inputs, signal)) as VideoWindow;
}

async function search(
  path: string,
  at: Rational,
  start: Rational,
  inputs: number,
  signal: AbortSignal | undefined,
): Promise<VideoWindow | 'too few before'> {
  const half = inputs / 2;
  const source = await openSource(path, { start, duration: LONGEST, signal }).catch((error) => {
    throw error instanceof FlavrError && error.code === 'BAD_ARGUMENT' ? noGap(path, at, error) : error;
  });
  const { width, height } = source.info;
  const cuts = new CutDetector(width, height);
  const goal = add(subtract(source.range!.end!, LONGEST), subtract(at, start));
  let before: Shown[] = [];
  const after: Shown[] = [];
  let shotIsKnown = start.num === 0n;
  try {
    for await (const { data, time } of source.frames()) {
      const { cut } = cuts.next(data);
      const shown = { data, width, height, time };
      if (compare(time, goal) <= 0) {
        if (cut) [before, shotIsKnown] = [[], true];
        before = [...before, shown].slice(-half);
        continue;
      }
      if (cut && after.length === 0) {
        throw new FlavrError('BAD_ARGUMENT', `At ${toNumber(at)} s ${path} has a cut: nothing is interpolated there.`);
      }
      if (cut) break;
      after.push(shown);
      if (after.length === half) break;
    }
  } finally {
    await source.close();
  }
  if (before.length < half && !shotIsKnown) return 'too few before';
  if (before.length === 0 || after.length === 0) {
    throw noGap(path, at);
  }
  const filled = [
    ...Array.from({ length: half - before.length }, () => before[0]!),
    ...before,
    ...after,
    ...Array.from({ length: half - after.length }, () => after.at(-1)!),
  ];
  return { frames: filled, times: filled.map(({ time }) => toNumber(time)) };
}
