import { checkArgument, checkOptions, whole } from '../arguments.js';
import { throwIfAborted } from '../errors.js';
import { paintSample } from './evaluate.js';
import { heatPicture } from './heat.js';
import { checkPair, type Picture, toBytes } from './picture.js';
import {
  EVALUATE_OPTIONS,
  type EvaluateMethodsOptions,
  openSet,
  REPORT,
  type Report,
  type SetReport,
} from './report.js';
import { pngUri } from './write-image.js';

/** A sample at which the first method is worst, with pictures of its worst instant. */
export interface WorstSample {
  readonly id: string;
  readonly method: string;
  readonly instant: string;
  readonly psnr: number;
  readonly ssim: number;
  /** As data URIs: the input before the gap, the truth, what the method made of it, and where it is wrong. */
  readonly pictures: readonly { readonly caption: string; readonly uri: string }[];
}

const WIDEST = 420;
// An error of so many grey levels is the hottest colour.
const HOTTEST = 64;

/**
 * Reads the samples at which the first method did worst once more, and runs it on them again.
 * @param count how many of each set.
 * @returns by set, in the report's order.
 */
export async function worstSamples(
  report: Report,
  options: EvaluateMethodsOptions,
  count: number,
): Promise<readonly (readonly WorstSample[])[]> {
  checkArgument('report', report, REPORT);
  checkOptions('worstSamples', options, EVALUATE_OPTIONS);
  checkArgument('count', count, whole(0));
  const sets: WorstSample[][] = [];
  for (const set of report.sets) sets.push(await worstOf(set, options, count));
  return sets;
}

async function worstOf(report: SetReport, options: EvaluateMethodsOptions, count: number): Promise<WorstSample[]> {
  const method = options.methods[0]!;
  const ranked = report.methods[0]!.samples.map((score) => ({ score, worst: Math.min(...score.psnr) }))
    .filter(({ worst }) => Number.isFinite(worst))
    .sort((a, b) => a.worst - b.worst)
    .slice(0, count);
  const wanted = new Map(ranked.map(({ score }) => [score.id, score]));
  const found = new Map<string, WorstSample>();
  const set = await openSet(report.measurement.name, options);
  for await (const sample of set.samples()) {
    throwIfAborted(options.signal);
    const score = wanted.get(sample.id);
    if (!score) continue;
    const frames = await sample.load();
    const painted = await paintSample(frames, method);
    const index = score.psnr.indexOf(Math.min(...score.psnr));
    const [truth, made] = [frames.truth[index]!, painted[index]!];
    const shown: readonly (readonly [string, Picture])[] = [
      ['input before the gap', frames.window[frames.window.length / 2 - 1]!],
      ['truth', truth],
      [method.name, made],
      [`error, white at ${HOTTEST} grey levels`, errorMap(truth, made)],
    ];
    found.set(sample.id, {
      id: sample.id,
      method: method.name,
      instant: `${index + 1}/${report.factor}`,
      psnr: score.psnr[index]!,
      ssim: score.ssim[index]!,
      pictures: await Promise.all(
        shown.map(async ([caption, picture]) => ({ caption, uri: await pngUri(picture, WIDEST) })),
      ),
    });
    if (found.size === wanted.size) break;
  }
  return ranked.flatMap(({ score }) => found.get(score.id) ?? []);
}

/** The mean absolute difference of the channels as heat. */
export function errorMap(a: Picture, b: Picture): Picture {
  checkPair(a, b);
  const [x, y] = [toBytes(a), toBytes(b)];
  const error = new Float32Array(x.length / 3);
  for (let i = 0; i < x.length; i++) error[Math.floor(i / 3)]! += Math.abs(x[i]! - y[i]!) / 3 / HOTTEST;
  return heatPicture(error, a.width, a.height);
}
