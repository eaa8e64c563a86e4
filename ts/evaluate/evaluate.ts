import { FlavrError, throwIfAborted } from '../errors.js';
import type { Method } from './methods.js';
import type { Picture } from './picture.js';
import { type BytePicture, prepare } from './prepare.js';
import type { Protocol, Sample } from './protocol.js';
import { interpolationError, psnr } from './psnr.js';
import { ssim } from './ssim.js';

/** What one method reached on one sample; one figure per intermediate frame, in order of time. */
export interface SampleScore {
  readonly id: string;
  readonly sequence: string;
  readonly repeated: number;
  readonly psnr: readonly number[];
  readonly ssim: readonly number[];
  readonly interpolationError?: readonly number[];
}

export interface SampleFailure {
  readonly id: string;
  readonly message: string;
}

/** Figures of one method over a data set. Means are over the frames of a sample first, then over samples. */
export interface MethodScore {
  readonly method: string;
  readonly samples: readonly SampleScore[];
  readonly failed: readonly SampleFailure[];
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
  readonly read: (path: string) => Promise<BytePicture>;
  /** Scores known from an earlier run, by method and sample; they are not measured again. */
  readonly known?: ReadonlyMap<string, SampleScore>;
  /** Called with each score as it is reached, so that a run can be resumed. */
  readonly onScore?: (method: string, score: SampleScore) => void;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** The key of a known score. */
export const scoreKey = (method: string, sample: string): string => `${method}\n${sample}`;

/**
 * Measures methods on samples. One bad sample is reported and not fatal; the next sample is read while one is measured.
 * @throws FlavrError `ABORTED`; `DATASET_INVALID` if no sample at all could be measured.
 */
export async function evaluate(
  protocol: Protocol,
  samples: readonly Sample[],
  methods: readonly Method[],
  options: EvaluateOptions,
): Promise<MethodScore[]> {
  const scores = methods.map(() => [] as SampleScore[]);
  const failed = methods.map(() => [] as SampleFailure[]);
  const todo = (sample: Sample) => methods.filter(({ name }) => !options.known?.has(scoreKey(name, sample.id)));
  const load = (sample: Sample | undefined) =>
    sample && todo(sample).length > 0 ? settle(readSample(sample, protocol, options.read)) : undefined;

  let next = load(samples[0]);
  for (const [n, sample] of samples.entries()) {
    throwIfAborted(options.signal);
    const current = await next;
    next = load(samples[n + 1]);
    for (const [m, method] of methods.entries()) {
      const known = options.known?.get(scoreKey(method.name, sample.id));
      if (known) {
        scores[m]!.push(known);
        continue;
      }
      try {
        const { window, truth } = unsettle(current!);
        const score = measure(protocol, sample, await method.interpolate(window, truth.length + 1), truth);
        scores[m]!.push(score);
        options.onScore?.(method.name, score);
      } catch (error) {
        throwIfAborted(options.signal);
        failed[m]!.push({ id: sample.id, message: error instanceof Error ? error.message : String(error) });
      }
    }
    options.onProgress?.(n + 1, samples.length);
  }
  if (scores.every((list) => list.length === 0)) {
    const first = failed.flat()[0];
    throw new FlavrError('DATASET_INVALID', `No sample could be measured. The first: ${first?.id}: ${first?.message}`);
  }
  return methods.map(({ name }, m) => summarize(name, scores[m]!, failed[m]!));
}

async function readSample(sample: Sample, { preparation }: Protocol, read: EvaluateOptions['read']) {
  const cache = new Map<string, BytePicture>();
  for (const path of [...sample.inputs, ...sample.targets]) {
    if (!cache.has(path)) cache.set(path, prepare(await read(path), preparation));
  }
  const get = (path: string) => cache.get(path)!;
  return { window: sample.inputs.map(get), truth: sample.targets.map(get) };
}

function measure(
  protocol: Protocol,
  { id, sequence, repeated }: Sample,
  painted: readonly Picture[],
  truth: readonly Picture[],
): SampleScore {
  const each = (figure: (a: Picture, b: Picture) => number) => truth.map((picture, i) => figure(painted[i]!, picture));
  return {
    id,
    sequence,
    repeated,
    psnr: each((a, b) => psnr(a, b, protocol.psnr)),
    ssim: each((a, b) => ssim(a, b, protocol.ssim)),
    ...(protocol.interpolationError && { interpolationError: each(interpolationError) }),
  };
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

// A read that fails ahead of its turn must not end the process as an unhandled rejection.
const settle = <T>(promise: Promise<T>): Promise<Settled<T>> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );

function unsettle<T>(settled: Settled<T>): T {
  if ('error' in settled) throw settled.error;
  return settled.value;
}
