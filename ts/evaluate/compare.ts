import { checkArgument, type Kind } from '../arguments.js';
import type { MethodScore, SampleScore } from './evaluate.js';
import { groupBy } from './group-by.js';

/** Paired difference of two methods over the samples that both have, per-sample means first. */
export interface Comparison {
  readonly method: string;
  readonly against: string;
  /** Those with a finite PSNR in both. */
  readonly samples: number;
  /** Those that the samples come from. */
  readonly sequences: number;
  readonly psnr: Difference;
  readonly ssim: Difference;
}

/** A mean and how sure it is; of PSNR in dB. */
export interface Difference {
  readonly mean: number;
  /** 95 % confidence interval of the mean, by bootstrap over sequences; over samples where all are of one. NaN of fewer than 6. */
  readonly low: number;
  readonly high: number;
}

const SCORE: Kind = {
  words: "a method's scores, as a report has them",
  fits: (value) => Array.isArray((value as Partial<MethodScore> | null)?.samples),
};

/**
 * `method` minus `against`, sample by sample: far sharper than the difference of two means, because hard samples are hard
 * for both. Samples with an infinite figure in either are left out. Those of one sequence resemble each other, so that whole
 * sequences are resampled: as many samples of few clips tell less than those of many.
 */
export function compareScores(method: MethodScore, against: MethodScore): Comparison {
  checkArgument('method', method, SCORE);
  checkArgument('against', against, SCORE);
  const other = new Map(against.samples.map((sample) => [sample.id, sample]));
  const pairs = method.samples.flatMap((sample) => {
    const match = other.get(sample.id);
    return match ? [[sample, match] as const] : [];
  });
  const differences = (of: (sample: SampleScore) => readonly number[]) => {
    const all = pairs.map(([a, b]) => ({ sequence: a.sequence, value: average(of(a)) - average(of(b)) }));
    const finite = all.filter(({ value }) => Number.isFinite(value));
    return [...groupBy(finite, ({ sequence }) => sequence).values()].map((group) => group.map(({ value }) => value));
  };
  const decibels = differences(({ psnr }) => psnr);
  return {
    method: method.method,
    against: against.method,
    samples: decibels.flat().length,
    sequences: decibels.length,
    psnr: bootstrap(decibels),
    ssim: bootstrap(differences(({ ssim }) => ssim)),
  };
}

const RESAMPLES = 2000;

// At its widest, the interval of resampled means of n values goes from the smallest to the largest of them. That range misses
// the median of what they were drawn from when all lie on one side of it, in 2^(1-n) of cases: for n = 5 more than 5 %.
const LEAST_UNITS = 6;

/**
 * Mean of all values and its 95 % interval, groups resampled as wholes; of a single group, its values. Of fewer than six
 * there is no interval: its ends are not numbers. The generator is seeded, so equal input gives equal figures.
 */
export function bootstrap(groups: readonly (readonly number[])[]): Difference {
  const mean = average(groups.flat());
  const units = groups.length === 1 ? groups[0]!.map((value) => [value]) : groups;
  if (units.length < LEAST_UNITS) return { mean, low: Number.NaN, high: Number.NaN };
  const sums = units.map((values) => ({ count: values.length, sum: values.reduce((sum, value) => sum + value, 0) }));
  const random = xorshift(units.length * 0x9e3779b9);
  const means = Array.from({ length: RESAMPLES }, () => {
    let [total, count] = [0, 0];
    for (let i = 0; i < sums.length; i++) {
      const unit = sums[Math.floor(random() * sums.length)]!;
      total += unit.sum;
      count += unit.count;
    }
    return total / count;
  }).sort((a, b) => a - b);
  return { mean, low: means[Math.floor(RESAMPLES * 0.025)]!, high: means[Math.ceil(RESAMPLES * 0.975) - 1]! };
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Uniform in [0, 1): Marsaglia's xorshift with 32 bits of state ("Xorshift RNGs", 2003). */
function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
