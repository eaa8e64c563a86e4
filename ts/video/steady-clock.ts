import { add, compare, type Rational, rational, subtract, ZERO } from '../rational.js';

/** By less than this a stream's times may go back because its muxer was careless. */
const CARELESS = rational(1, 10);

/**
 * One clock for a file whose own is set back in the middle: files joined byte by byte, as MPEG-TS and DVD files often are,
 * begin anew with each part. Every part goes on where the one before it ended, in all streams by the same shift, so that
 * sound and pictures stay together.
 */
export class SteadyClock {
  /** What is added to the times of each part. The stream that comes to a part first decides for all. */
  readonly #shifts: Rational[] = [ZERO];
  readonly #streams = new Map<number, { part: number; time: Rational; end: Rational }>();

  /** Whether the clock was set back in what has been read. */
  get wasSetBack(): boolean {
    return this.#shifts.length > 1;
  }

  /** What to add to the times of a stream whose packets follow one another without a gap, at its next packet. */
  shift(stream: number, decodeTime: Rational, duration: Rational): Rational {
    const last = this.#streams.get(stream);
    let part = last?.part ?? this.#shifts.length - 1;
    if (last && compare(add(decodeTime, CARELESS), last.time) < 0) {
      part += 1;
      // Also from the end of the part before it, whose own shift that end does not hold yet.
      this.#shifts[part] ??= subtract(add(last.end, this.#shifts[last.part]!), decodeTime);
    }
    // Not every format states durations; then the latest distance stands for them.
    const step = duration.num > 0n ? duration : last && last.part === part ? subtract(decodeTime, last.time) : ZERO;
    this.#streams.set(stream, { part, time: decodeTime, end: add(decodeTime, step) });
    return this.#shifts[part]!;
  }

  /** The same for packets that come now and then, or without a time: they belong to the part that was reached last. */
  get latestShift(): Rational {
    return this.#shifts.at(-1)!;
  }

  /** To be told when reading goes on elsewhere. */
  restart(): void {
    this.#shifts.splice(1);
    this.#streams.clear();
  }
}
