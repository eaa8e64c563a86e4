import { readFile } from 'node:fs/promises';
import { asFlavrError, FlavrError } from '../errors.js';
import { openDataSet, VIDEO_SET } from '../evaluate/data-set.js';
import { blend, type Method } from '../evaluate/methods.js';
import { minterpolate } from '../evaluate/minterpolate.js';
import { modelMethodOn } from '../evaluate/model-method.js';
import type { BytePicture } from '../evaluate/prepare.js';
import { type EvaluationProgress, evaluateMethods, type Report, type SetReport } from '../evaluate/report.js';
import { modelInputs } from '../model/config.js';
import { openSource } from '../video/source.js';
import { type MeasureOptions, tryPoint } from './measure.js';
import type { Point } from './scenarios.js';
import { repeat, summarizeTimes } from './timing.js';

/** What a method costs and what it gives, on frames of one size. */
export interface QualityPoint {
  readonly name: string;
  readonly kind: 'model' | 'rival';
  /** Mean over the samples, in dB, as the protocol takes it. */
  readonly psnr: number;
  readonly msPerNewFrame: number;
}

export interface Quality {
  readonly protocol: string;
  /** Which PSNR: `flavr`, `rounded` or `y`. */
  readonly psnr: string;
  readonly data: string;
  readonly width: number;
  readonly height: number;
  readonly k: number;
  readonly samples: number;
  readonly points: readonly QualityPoint[];
  /** Methods whose time is not measured here, with the reason where it could not be. */
  readonly untimed: readonly string[];
}

export interface QualityOptions {
  /** Points whose precision or lowering differ; of each, the time is taken at the size of the data. */
  readonly variants: readonly Point[];
  readonly measuring: MeasureOptions;
  /** At most so many samples, where the evaluation is still to be run. */
  readonly limit: number;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
}

/** As many frames as make the start of a filter small beside its work. */
const CLIP_FRAMES = 12;

const isReport = (source: string): boolean => /\.json$/i.test(source);

/** Refuses a source that `measureQuality` could not use, before time is spent on anything else. */
export async function checkQualitySource(source: string): Promise<void> {
  if (isReport(source)) await readEvaluation(source);
  else await (await openSource(source)).close();
}

/**
 * Sets what each variant costs beside what it gives.
 * @param source a video, which is evaluated now; or the report that `flavr evaluate --json` wrote, whose data must still be
 * where it was, since the time is taken at its size.
 * @throws FlavrError as `evaluateMethods` does; `BAD_ARGUMENT` for a report that is none.
 */
export async function measureQuality(source: string, options: QualityOptions): Promise<Quality> {
  const { measuring, variants } = options;
  const { model } = measuring;
  const set = isReport(source) ? await readEvaluation(source) : await evaluateNow(source, options);
  const clip = await readClip(set, modelInputs(model));
  const { width, height } = clip[0]!;
  const k = set.factor;
  const scores = new Map(
    set.methods.map(({ method, psnr }) => [method, psnr] as const).filter(([, psnr]) => Number.isFinite(psnr)),
  );
  const points: QualityPoint[] = [];
  const failed: string[] = [];
  for (const variant of variants) {
    const { precision, lowering = '' } = variant;
    const name = `${model.name} ${precision} ${lowering}`.trimEnd();
    // An evaluation that was run before names the model alone, and had the precision that is asked for by itself.
    const alone = precision === variants[0]!.precision ? scores.get(model.name) : undefined;
    const psnr = scores.get(methodName(model.name, precision)) ?? alone;
    if (psnr === undefined) continue;
    const outcome = await tryPoint({ ...variant, width, height, k }, measuring);
    if ('problem' in outcome) failed.push(`${name} (${outcome.problem})`);
    else points.push({ name, kind: 'model', psnr, msPerNewFrame: outcome.result.window.median / (k - 1) });
  }
  for (const rival of [blend, await minterpolate()]) {
    const psnr = scores.get(rival.name);
    if (psnr === undefined) continue;
    points.push({ name: rival.name, kind: 'rival', psnr, msPerNewFrame: await rivalTime(rival, clip, k, measuring) });
  }
  const timed = [
    model.name,
    ...variants.map(({ precision }) => methodName(model.name, precision)),
    ...points.map(({ name }) => name),
  ];
  return {
    protocol: set.measurement.title,
    psnr: set.measurement.psnr,
    ...{ data: set.data, width, height, k, samples: set.samples, points },
    untimed: [...[...scores.keys()].filter((name) => !timed.includes(name)), ...failed],
  };
}

const methodName = (model: string, precision: string): string => `${model} ${precision}`;

async function evaluateNow(
  data: string,
  { variants, measuring, limit, onProgress }: QualityOptions,
): Promise<SetReport> {
  const { backend, model, device, signal } = measuring;
  const methods: Method[] = [...new Map(variants.map((variant) => [variant.precision, variant])).values()].map(
    ({ precision, threads }) => {
      const name = methodName(model.name, precision);
      return modelMethodOn(backend, model, { name, precision, threads, device });
    },
  );
  try {
    const all = [...methods, blend, await minterpolate()];
    const { k } = variants[0]!;
    const { sets } = await evaluateMethods({
      dataset: VIDEO_SET,
      data,
      methods: all,
      factor: k,
      limit,
      signal,
      onProgress,
    });
    return sets[0]!;
  } finally {
    await Promise.all(methods.map((method) => method.close()));
  }
}

async function readEvaluation(path: string): Promise<SetReport> {
  try {
    const { sets } = JSON.parse(await readFile(path, 'utf8')) as Report;
    const [{ measurement, data, factor, methods, samples }] = sets as [SetReport];
    const words = [measurement.name, measurement.title, measurement.psnr, data, ...methods.map(({ method }) => method)];
    const named = words.every((word) => typeof word === 'string');
    if (named && Number.isInteger(factor) && Number.isInteger(samples)) return sets[0]!;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code)
      throw asFlavrError(error, 'BAD_ARGUMENT', `--quality ${path} cannot be read`);
  }
  throw new FlavrError('BAD_ARGUMENT', `--quality ${path} is no report of flavr evaluate --json.`);
}

/** Consecutive frames of a video; of other sets, whose samples have nothing to do with each other, a window. */
async function readClip({ measurement, data, factor }: SetReport, inputs: number): Promise<BytePicture[]> {
  const isVideo = measurement.name === VIDEO_SET;
  const set = await openDataSet(measurement.name, data, { inputs, factor, limit: isVideo ? CLIP_FRAMES : 1 });
  const clip: BytePicture[] = [];
  for await (const sample of set.samples()) {
    const { window } = await sample.load();
    if (!isVideo) return [...window];
    clip.push(window[inputs / 2 - 1]!);
  }
  return clip;
}

/** Milliseconds per new frame. A filter gets a whole clip at once, as it would get a video. */
async function rivalTime(
  rival: Method,
  clip: readonly BytePicture[],
  k: number,
  measuring: MeasureOptions,
): Promise<number> {
  const frames = rival.inputs === 2 ? clip.slice(0, 2) : clip;
  const times = await repeat(() => rival.interpolate(frames, k), measuring);
  return summarizeTimes(times).median / ((frames.length - 1) * (k - 1));
}
