import { abortError, FlavrError, throwIfAborted } from '../errors.js';
import type { DataSet, LazySample, SampleFrames } from './data-set.js';
import { FigurePool } from './figure-pool.js';
import type { Method } from './methods.js';
import type { Picture } from './picture.js';

/** What one method reached on one sample; one figure per intermediate frame, in order of time. */
export interface SampleScore {
  readonly id: string;
  readonly sequence: string;
  /** How many of the window's frames stand in for one that the clip does not have. */
  readonly repeated: number;
  /** In dB. */
  readonly psnr: readonly number[];
  readonly ssim: readonly number[];
  readonly interpolationError?: readonly number[];
}

/** A sample that could not be read or run, and why. */
export interface SampleFailure {
  readonly id: string;
  readonly message: string;
}

/** Figures of one method over a data set. Means are over the frames of a sample first, then over samples. */
export interface MethodScore {
  readonly method: string;
  readonly samples: readonly SampleScore[];
  readonly failed: readonly SampleFailure[];
  /** In dB. */
  readonly psnr: number;
  readonly ssim: number;
  readonly interpolationError?: number;
  /** By time index: quality falls toward the middle of a gap. */
  readonly psnrByIndex: readonly number[];
  readonly ssimByIndex: readonly number[];
  /** Frames equal to the truth in 8 bits: their rounded PSNR is infinite and is left out of the mean. */
  readonly exact: number;
}

export interface EvaluateOptions {
  /** Scores known from an earlier run, by method and sample; they are not measured again. */
  readonly known?: ReadonlyMap<string, SampleScore>;
  /** Called with each score as it is reached, so that a run can be resumed. */
  readonly onScore?: (method: Method, score: SampleScore) => void;
  /** Called after each sample; the total is undefined where it is not known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The key of a known score. */
export const scoreKey = ({ identity }: Pick<Method, 'identity'>, sample: string): string => `${identity}\n${sample}`;

/**
 * Measures methods on a data set. One bad sample is reported and not fatal; the next sample is read while one is measured,
 * and no more than these two are in memory. Frames are compared in threads of their own.
 * @throws FlavrError `ABORTED`; `DATASET_INVALID` if no sample at all could be measured; what the set throws where its
 * samples cannot be listed.
 */
export async function evaluate(
  set: DataSet,
  methods: readonly Method[],
  options: EvaluateOptions = {},
): Promise<MethodScore[]> {
  const { known, signal } = options;
  const scores = methods.map(() => [] as SampleScore[]);
  const failed = methods.map(() => [] as SampleFailure[]);
  const needed = ({ id }: LazySample) => methods.some((method) => !known?.has(scoreKey(method, id)));
  const pool = new FigurePool();
  let done = 0;
  try {
    for await (const { sample, frames } of loadAhead(set.samples(), needed)) {
      for (const [m, method] of methods.entries()) {
        throwIfAborted(signal);
        const earlier = known?.get(scoreKey(method, sample.id));
        if (earlier) {
          scores[m]!.push(earlier);
          continue;
        }
        const result = await settle(unlessAborted(measureSample(set, sample, frames, method, pool), signal));
        throwIfAborted(signal);
        if ('error' in result) {
          const { error } = result;
          failed[m]!.push({ id: sample.id, message: error instanceof Error ? error.message : String(error) });
        } else {
          scores[m]!.push(result.value);
          options.onScore?.(method, result.value);
        }
      }
      options.onProgress?.(++done, set.count);
    }
  } finally {
    await pool.close();
  }
  if (scores.every((list) => list.length === 0)) {
    const first = failed.flat()[0];
    const why = first
      ? `The first: ${first.id}: ${first.message}`
      : `There is none: with k = ${set.factor}, one takes at least ${set.factor + 1} frames in a row without a cut.`;
    throw new FlavrError('DATASET_INVALID', `No sample could be measured. ${why}`);
  }
  return methods.map((method, m) => summarize(method.name, scores[m]!, failed[m]!));
}

/** The work's result, or `ABORTED` as soon as the signal fires: what the work still gives is then dropped. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** What a method makes of a window: the frames between its middle two. */
export function paintSample({ window, truth }: SampleFrames, method: Method): Promise<readonly Picture[]> {
  const outer = (window.length - method.inputs) / 2;
  return method.interpolate(window.slice(outer, window.length - outer), truth.length + 1);
}

async function measureSample(
  { measurement }: DataSet,
  { id, sequence, repeated }: LazySample,
  loaded: Settled<SampleFrames>,
  method: Method,
  pool: FigurePool,
): Promise<SampleScore> {
  const frames = unsettle(loaded);
  const painted = await paintSample(frames, method);
  const figures = await Promise.all(frames.truth.map((truth, i) => pool.compare(painted[i]!, truth, measurement)));
  const score = {
    id,
    sequence,
    repeated,
    psnr: figures.map(({ psnr }) => psnr),
    ssim: figures.map(({ ssim }) => ssim),
    ...(measurement.interpolationError && { interpolationError: figures.map((each) => each.interpolationError!) }),
  };
  if ([...score.psnr, ...score.ssim].some(Number.isNaN)) {
    throw new FlavrError('NUMERIC_FAILURE', `${method.name} gave a value that is not a number.`);
  }
  return score;
}

interface LoadedSample {
  readonly sample: LazySample;
  readonly frames: Settled<SampleFrames>;
}

/** Samples with their frames, one read ahead; those not needed come without. */
async function* loadAhead(
  samples: AsyncIterable<LazySample>,
  needed: (sample: LazySample) => boolean,
): AsyncGenerator<LoadedSample, void, undefined> {
  const iterator = samples[Symbol.asyncIterator]();
  // Settled: a failure ahead of its turn must not end the process as an unhandled rejection.
  const load = () =>
    settle(
      iterator.next().then(async ({ done, value }): Promise<LoadedSample | undefined> => {
        if (done) return undefined;
        const frames = needed(value) ? await settle(value.load()) : { error: undefined };
        return { sample: value, frames };
      }),
    );
  let next = load();
  try {
    for (;;) {
      const current = unsettle(await next);
      if (!current) return;
      next = load();
      yield current;
    }
  } finally {
    await next;
    await iterator.return?.();
  }
}

/** Means over scores. Pure. */
export function summarize(
  method: string,
  samples: readonly SampleScore[],
  failed: readonly SampleFailure[],
): MethodScore {
  const errors = samples.flatMap((sample) => (sample.interpolationError ? [mean(sample.interpolationError)] : []));
  return {
    method,
    samples,
    failed,
    psnr: meanOfMeans(samples.map((sample) => sample.psnr)),
    ssim: meanOfMeans(samples.map((sample) => sample.ssim)),
    ...(errors.length > 0 && { interpolationError: mean(errors) }),
    psnrByIndex: byIndex(samples.map((sample) => sample.psnr)),
    ssimByIndex: byIndex(samples.map((sample) => sample.ssim)),
    exact: samples.flatMap((sample) => sample.psnr).filter((value) => !Number.isFinite(value)).length,
  };
}

/** Of the finite values; NaN if there are none. */
function mean(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / finite.length;
}

const meanOfMeans = (lists: readonly (readonly number[])[]): number => mean(lists.map(mean));

function byIndex(lists: readonly (readonly number[])[]): number[] {
  return Array.from({ length: lists[0]?.length ?? 0 }, (_, i) => mean(lists.map((list) => list[i]!)));
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

const settle = <T>(promise: Promise<T>): Promise<Settled<T>> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );

function unsettle<T>(settled: Settled<T>): T {
  if ('error' in settled) throw settled.error;
  return settled.value;
}
