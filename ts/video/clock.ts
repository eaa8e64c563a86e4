import { compare, multiply, type Rational, rational, subtract } from '../rational.js';

const MAX_TICKS_PER_SECOND = 2n ** 31n - 1n;
const MICROSECONDS = 1_000_000n;

function lcm(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return (a / x) * b;
}

/**
 * Ticks per second of a clock that counts every given step in whole ticks. Where that takes more than containers can
 * state (2^31 - 1), the steps that do not fit are rounded to microseconds at least.
 */
export function ticksPerSecond(steps: readonly (Rational | undefined)[]): bigint {
  let ticks = 1n;
  let exact = true;
  for (const step of steps) {
    const next = step ? lcm(ticks, step.den) : ticks;
    if (next <= MAX_TICKS_PER_SECOND) ticks = next;
    else exact = false;
  }
  return exact || ticks >= MICROSECONDS ? ticks : ticks * (MICROSECONDS / ticks + 1n);
}

/** The whole number nearest to an exact fraction; halves go up. */
export function nearest(value: Rational): bigint {
  const twice = 2n * value.num + value.den;
  const floor = twice / (2n * value.den);
  return twice < 0n && twice % (2n * value.den) !== 0n ? floor - 1n : floor;
}

/** A time in ticks of `step` seconds. Each is rounded on its own, from the exact time, so that nothing accumulates. */
export const toTicks = (seconds: Rational, step: Rational): bigint =>
  nearest(rational(seconds.num * step.den, seconds.den * step.num));

export const fromTicks = (ticks: bigint, step: Rational): Rational => rational(ticks * step.num, step.den);

/** How times of the source become times of the output: `(time - origin) * slow`, within a range. */
export class Timeline {
  /** Time on the source's clock at which the output's clock is 0. */
  readonly origin: Rational;
  /** Only what begins in [start, end) belongs to the output; undefined: no bound. */
  readonly start: Rational | undefined;
  readonly end: Rational | undefined;
  readonly slow: Rational;

  constructor(options: {
    origin: Rational;
    start: Rational | undefined;
    end: Rational | undefined;
    slow: Rational;
  }) {
    this.origin = options.origin;
    this.start = options.start;
    this.end = options.end;
    this.slow = options.slow;
  }

  toOutput(time: Rational): Rational {
    return multiply(subtract(time, this.origin), this.slow);
  }

  scale(duration: Rational): Rational {
    return multiply(duration, this.slow);
  }

  isBeforeStart(time: Rational): boolean {
    return this.start !== undefined && compare(time, this.start) < 0;
  }

  isPastEnd(time: Rational): boolean {
    return this.end !== undefined && compare(time, this.end) >= 0;
  }
}
