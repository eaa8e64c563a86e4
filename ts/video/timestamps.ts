import { add, compare, divide, multiply, type Rational, rational, subtract, ZERO } from '../rational.js';

/** A frame as its container dates it: either may be missing, and neither can be trusted. */
export interface Stamped {
  readonly time: Rational | undefined;
  readonly duration: Rational | undefined;
}

/** A frame that is exactly dated: times increase strictly, and each duration reaches to the next frame. */
export interface Timed {
  readonly time: Rational;
  readonly duration: Rational;
}

// More frames in a row without a later time than the last good one are taken for a clock that was set back, not for
// frames out of order. Also bounds how many frames wait.
const LONGEST_REPAIR = 4;

/**
 * Dates frames by their container's timestamps. A frame whose time is missing or not after its predecessor's is placed
 * evenly between the good ones around it; where the clock itself was set back, time goes on from where it was.
 * @param nominal a frame's duration where nothing states one.
 * @param onRepair told the first time at which something was repaired.
 */
export async function* dateFrames<F extends Stamped>(
  frames: AsyncIterable<F>,
  nominal: Rational,
  onRepair: (time: Rational) => void,
): AsyncGenerator<F & Timed, void, undefined> {
  // The last well-dated frame and the undatable ones behind it.
  let run: F[] = [];
  let start = ZERO;
  let shift = ZERO;
  let step: Rational | undefined;
  const dated = (index: number, spacing: Rational): F & Timed => ({
    ...run[index]!,
    time: add(start, multiply(spacing, rational(index))),
    duration: spacing,
  });
  for await (const frame of frames) {
    const time = frame.time && add(frame.time, shift);
    if (run.length === 0) {
      start = time ?? ZERO;
      run.push(frame);
    } else if (time && compare(time, start) > 0) {
      step = divide(subtract(time, start), rational(run.length));
      for (let i = 0; i < run.length; i++) yield dated(i, step);
      [run, start] = [[frame], time];
    } else {
      onRepair(start);
      run.push(frame);
      if (run.length > LONGEST_REPAIR) {
        const spacing = step ?? nominal;
        for (let i = 0; i < run.length - 1; i++) yield dated(i, spacing);
        start = dated(run.length - 1, spacing).time;
        run = [frame];
        if (frame.time) shift = subtract(start, frame.time);
      }
    }
  }
  const spacing = run.at(-1)?.duration ?? step ?? nominal;
  for (let i = 0; i < run.length; i++) yield dated(i, spacing);
}

/** Dates frames by counting: frame n is at n / rate. */
export async function* countFrames<F extends Stamped>(
  frames: AsyncIterable<F>,
  rate: Rational,
  first: number,
): AsyncGenerator<F & Timed, void, undefined> {
  const duration = divide(rational(1), rate);
  let index = first;
  for await (const frame of frames) {
    yield { ...frame, time: multiply(rational(index), duration), duration };
    index += 1;
  }
}

/** The frames from `start` (inclusive) to `end` (exclusive); the last one ends no later than `end`. */
export async function* cutRange<F extends Timed>(
  frames: AsyncIterable<F>,
  start: Rational,
  end: Rational | undefined,
): AsyncGenerator<F, void, undefined> {
  for await (const frame of frames) {
    if (compare(frame.time, start) < 0) continue;
    if (!end || compare(add(frame.time, frame.duration), end) < 0) yield frame;
    else {
      if (compare(frame.time, end) < 0) yield { ...frame, duration: subtract(end, frame.time) };
      return;
    }
  }
}
