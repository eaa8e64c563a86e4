import { FlavrError } from '../errors.js';

// On each side of zero. Doubling the range leaves at least half of them in use.
const BINS = 4096;
const CENTRE = BINS;

/** Counts of numbers in equal bins on both sides of zero, over a range that doubles whenever a number lies beyond it. */
export class Histogram {
  readonly #counts = new Float64Array(2 * BINS);
  #total = 0;
  /** Bins cover [-bound, bound). */
  #bound = 2 ** -20;

  /** @throws FlavrError `NUMERIC_FAILURE` for a number that is not finite. */
  add(values: Float32Array): void {
    let most = 0;
    for (const value of values) {
      if (!Number.isFinite(value)) {
        throw new FlavrError('NUMERIC_FAILURE', 'The model gives values that are not finite on these frames.');
      }
      most = Math.max(most, Math.abs(value));
    }
    while (most >= this.#bound) this.#double();
    const scale = BINS / this.#bound;
    for (const value of values) this.#counts[CENTRE + Math.floor(value * scale)]! += 1;
    this.#total += values.length;
  }

  /** The smallest run of bins with 0 in it that leaves out at most the `tail` of all numbers at each end. */
  range(tail: number): { min: number; max: number } {
    const width = this.#bound / BINS;
    return { min: -width * this.#reach(-1, tail), max: width * this.#reach(1, tail) };
  }

  /** How many bins from zero, in one direction. */
  #reach(direction: 1 | -1, tail: number): number {
    let beyond = 0;
    for (let bins = BINS; bins > 0; bins--) {
      beyond += this.#counts[direction > 0 ? CENTRE + bins - 1 : CENTRE - bins]!;
      if (beyond > tail * this.#total) return bins;
    }
    return 0;
  }

  #double(): void {
    const wide = new Float64Array(2 * BINS);
    for (let bin = 0; bin < 2 * BINS; bin++) wide[CENTRE + Math.floor((bin - CENTRE) / 2)]! += this.#counts[bin]!;
    this.#counts.set(wide);
    this.#bound *= 2;
  }
}
