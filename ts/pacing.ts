import { FlavrError } from './errors.js';
import { add, compare, divide, multiply, type Rational, rational, subtract, toNumber, ZERO } from './rational.js';

/** An output: instant j of the k in a gap, 0 being its first frame and k its second, with its place in the result. */
export interface Pick {
  readonly instant: number;
  readonly time: Rational;
  readonly duration: Rational;
}

/** What the result shows of one gap: every pick is an instant j/k. */
export interface GapPicks {
  readonly k: number;
  readonly picks: readonly Pick[];
}

/** Decides which instants of each gap the result shows. Asked of the gaps in order, then of the last frame. */
export interface Pacing {
  /** Every factor that `gap` may choose but 1. */
  readonly factors: readonly number[];
  /** Picks in the gap between frames at `start` and `end`; the frame at `end` belongs to what follows. */
  gap(start: Rational, end: Rational): GapPicks;
  /** When the last frame is shown; `duration` is its own, where it is known. */
  last(time: Rational, duration: Rational | undefined): readonly Pick[];
}

/** k instants per gap; the last frame keeps its duration, so that the total is the same for every k. */
export class UniformPacing implements Pacing {
  readonly factors: readonly number[];
  readonly #k: number;

  constructor(k: number) {
    this.#k = k;
    this.factors = k === 1 ? [] : [k];
  }

  gap(start: Rational, end: Rational): GapPicks {
    const duration = divide(subtract(end, start), rational(this.#k));
    const picks: Pick[] = [];
    for (let instant = 0, time = start; instant < this.#k; instant++, time = add(time, duration)) {
      picks.push({ instant, time, duration });
    }
    return { k: this.#k, picks };
  }

  last(time: Rational, duration: Rational | undefined): readonly Pick[] {
    return [{ instant: 0, time, duration: duration ?? ZERO }];
  }
}

// Nearly five hours of one frame at 60 per second. What is due in a gap is planned at once, and a time or a rate that is wrong
// by magnitudes (seconds since 1970 after a first frame at 0) would take all memory.
const MOST_IN_A_GAP = 2n ** 20n;

/**
 * A target rate: output n is due n / rate after the first frame, while before the end of the last, and shows the nearest
 * instant that the gap has; of two equally near the earlier. Each gap takes the smallest factor (1 included) whose
 * instants are at least as dense as the outputs there, or the largest factor if none is.
 */
export class RatePacing implements Pacing {
  readonly factors: readonly number[];
  readonly #rate: Rational;
  readonly #interval: Rational;
  #start: Rational | undefined;
  #next = 0n;

  constructor(rate: Rational, factors: readonly number[]) {
    if (rate.num <= 0n)
      throw new FlavrError('BAD_ARGUMENT', 'The target rate must be greater than 0 frames per second.');
    this.factors = factors;
    this.#rate = rate;
    this.#interval = divide(rational(1), rate);
  }

  gap(start: Rational, end: Rational): GapPicks {
    const duration = subtract(end, start);
    const wanted = multiply(duration, this.#rate);
    const k = [1, ...this.factors].find((factor) => compare(wanted, rational(factor)) <= 0) ?? this.factors.at(-1) ?? 1;
    const step = divide(duration, rational(k));
    return { k, picks: this.#due(start, end, (time) => nearest(divide(subtract(time, start), step))) };
  }

  last(time: Rational, duration: Rational | undefined): readonly Pick[] {
    return this.#due(time, add(time, duration ?? this.#interval), () => 0);
  }

  /** The outputs that are due before `end`. */
  #due(start: Rational, end: Rational, instantAt: (time: Rational) => number): Pick[] {
    this.#start ??= start;
    const timeOf = (output: bigint) => add(this.#start!, multiply(rational(output), this.#interval));
    if (compare(timeOf(this.#next + MOST_IN_A_GAP), end) < 0) {
      const [from, to, rate] = [start, end, this.#rate].map(toNumber);
      throw new FlavrError(
        'BAD_ARGUMENT',
        `From ${from} s to ${to} s without a source frame, ${rate} frames per second are more than ${MOST_IN_A_GAP}. Check the times and the rate.`,
      );
    }
    const picks: Pick[] = [];
    for (;;) {
      const time = timeOf(this.#next);
      if (compare(time, end) >= 0) return picks;
      picks.push({ instant: instantAt(time), time, duration: this.#interval });
      this.#next++;
    }
  }
}

/** The whole number nearest to x >= 0; of two equally near the smaller. */
function nearest({ num, den }: Rational): number {
  return Number((2n * num + den - 1n) / (2n * den));
}
