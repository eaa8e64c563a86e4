import { availableParallelism } from 'node:os';
import { CALLBACK, checkOptions, type Kinds, SIGNAL } from '../arguments.js';
import { FlavrError, throwIfAborted } from '../errors.js';
import type { Calibration } from '../model/calibration.js';
import { quantisedGraph } from '../model/calibration.js';
import type { Model } from '../model/config.js';
import { quantisedActivations } from '../model/graph/build.js';
import { givenModel } from '../model/load.js';
import { onAbort } from '../on-abort.js';
import { checkSource, type FrameSource, RUN_OPTIONS } from '../options.js';
import { checkWindow } from './check-window.js';
import type { GraphRunner } from './graph-runner.js';
import { Histogram } from './histogram.js';
import { openRunner } from './model-method.js';
import type { BytePicture } from './prepare.js';

/** What {@link calibrate} takes. */
export interface CalibrateOptions {
  /** Default: all cores. */
  readonly threads?: number | undefined;
  /** Told how many windows were looked at. */
  readonly onProgress?: ((windows: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const CALIBRATE_OPTIONS: Kinds<CalibrateOptions> = {
  threads: RUN_OPTIONS.threads,
  onProgress: CALLBACK,
  signal: SIGNAL,
};

// The values beyond the range at each of its ends: what clipping them loses is less than what finer steps gain. None, and
// five times as many, lost more on clips that the ranges were not measured on.
const TAIL = 1e-4;

// Of each step of an activation in a window.
const SAMPLES = 1 << 14;

/**
 * Measures, on the CPU, the ranges of a model's activations that precision int8 needs.
 *
 * @param model a bundled model's name, a path of a checkpoint, or a loaded one.
 * @param windows each 2C frames of one size in order of time, from videos like those that will come; a dozen or two are
 * enough. `windowAt` takes them from a video.
 * @throws FlavrError `BAD_ARGUMENT` for a model given as a graph, a window of another number of frames, or none at all;
 * `BAD_FRAME` for frames that are no pictures of one size; `NUMERIC_FAILURE`, `OUT_OF_MEMORY`, `INFERENCE_FAILED`, `ABORTED`; as `loadModel`.
 * @example
 * ```ts
 * const windows = [3, 8, 21].map((seconds) => windowAt('holiday.mp4', rational(seconds), 4));
 * const calibration = await calibrate('mini-2x', (await Promise.all(windows)).map(({ frames }) => frames));
 * const flavr = await Interpolator.open({ width: 640, height: 360, precision: 'int8', calibration });
 * ```
 */
export async function calibrate(
  model: string | Model,
  windows: FrameSource<readonly BytePicture[]>,
  options: CalibrateOptions = {},
): Promise<Calibration> {
  checkSource('windows', windows);
  checkOptions('calibrate', options, CALIBRATE_OPTIONS);
  const { threads = availableParallelism(), onProgress, signal } = options;
  const loaded = await givenModel(model);
  if (loaded.kind === 'graph') throw quantisedGraph(loaded.name);
  const { config } = loaded;
  const activations = quantisedActivations(loaded);
  const histograms = new Map([...activations.keys()].map((activation) => [activation, new Histogram()]));
  const taps = [...new Set([...activations.values()].flat())].map((value) => ({ value, sample: SAMPLES }));

  let count = 0;
  let size = '';
  let runner: GraphRunner | undefined;
  const heedNoMore = onAbort(signal, () => void runner?.close());
  try {
    throwIfAborted(signal);
    for await (const window of windows) {
      const { width, height } = checkWindow(window, config.inputs);
      if (runner === undefined || size !== `${width}x${height}`) {
        await runner?.close();
        runner = await openRunner(loaded, { width, height, factor: config.factor, precision: 'fp32', threads, taps });
        size = `${width}x${height}`;
      }
      throwIfAborted(signal);
      const outputs = await runner.run(window.map(({ data }) => data));
      for (const [activation, values] of activations) {
        for (const value of values) histograms.get(activation)!.add(outputs[`${value}.sample`]!.data);
      }
      count++;
      onProgress?.(count);
    }
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    heedNoMore();
    await runner?.close();
  }
  if (count === 0) throw new FlavrError('BAD_ARGUMENT', 'A calibration needs at least one window of frames.');
  const ranges = new Map([...histograms].map(([activation, histogram]) => [activation, histogram.range(TAIL)]));
  return { model: loaded.name, hash: loaded.hash, windows: count, ranges };
}
