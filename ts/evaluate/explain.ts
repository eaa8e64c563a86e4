import { availableParallelism } from 'node:os';
import { checkOptions, type Kinds, SIGNAL } from '../arguments.js';
import { FlavrError, throwIfAborted } from '../errors.js';
import type { Model, ModelConfig, WeightsModel } from '../model/config.js';
import { paddedSize } from '../model/graph/frames.js';
import type { Tap } from '../model/graph-spec.js';
import { expectedTensors } from '../model/layout.js';
import { givenModel } from '../model/load.js';
import { onAbort } from '../on-abort.js';
import { RUN_OPTIONS } from '../options.js';
import { checkWindow } from './check-window.js';
import type { FloatTensor } from './graph-runner.js';
import { openRunner, type RunnerOptions } from './model-method.js';
import type { BytePicture } from './prepare.js';

/** What one gate of the network did with a window. */
export interface GateExplanation {
  /** The gate's place: `layer1` … `layer4` of the encoder (the last block's), `decoder0` … `decoder4`. */
  readonly stage: string;
  /** The factor of each channel, from 0 to 1. */
  readonly weights: readonly number[];
  /** The channels with the largest and with the smallest factor. */
  readonly most: number;
  readonly least: number;
}

/** One channel behind its gate, at each step of time. */
export interface FeatureMaps {
  readonly steps: readonly FeatureMap[];
}

/** A channel's values at one step of time, row after row. */
export interface FeatureMap {
  readonly values: Float32Array;
  readonly width: number;
  readonly height: number;
  /** Pixels of the frame (padded to multiples of 8) per value, along each side. */
  readonly scale: number;
}

/** What {@link explainWindow} found, in the order of the network. */
export interface Explanation {
  readonly model: string;
  readonly gates: readonly GateExplanation[];
  /** By gate: the maps of the channel with the largest factor, and of the one with the smallest. */
  readonly maps: readonly { readonly most: FeatureMaps; readonly least: FeatureMaps }[];
}

/** What {@link explainWindow} takes beside model and window. */
export interface ExplainOptions {
  /** Default: as many as the process may use cores. */
  readonly threads?: number | undefined;
  /** Ends it with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

const EXPLAIN_OPTIONS: Kinds<ExplainOptions> = { threads: RUN_OPTIONS.threads, signal: SIGNAL };

/**
 * What the gates of a network make of one window, on the CPU.
 * @param model a bundled model's name, a path, or what `loadModel` gave.
 * @param window 2C frames of one size.
 * @throws FlavrError `BAD_ARGUMENT` for a model without gates, or one given as a graph, whose gates have no known names, or
 * a window of another number of frames; `BAD_FRAME` for frames that are no pictures of one size; `OUT_OF_MEMORY`, `INFERENCE_FAILED`, `ABORTED`.
 * @example
 * ```ts
 * const { frames } = await windowAt('holiday.mp4', parseRational('12.5', 'time'), 4);
 * const { gates } = await explainWindow('FLAVR_2x.pth', frames);
 * ```
 */
export async function explainWindow(
  model: string | Model,
  window: readonly BytePicture[],
  options: ExplainOptions = {},
): Promise<Explanation> {
  checkOptions('explainWindow', options, EXPLAIN_OPTIONS);
  const { threads = availableParallelism(), signal } = options;
  const weighted = await loadGatedModel(model);
  const { config } = weighted;
  const { width, height } = checkWindow(window, config.inputs);
  const running: RunnerOptions = { width, height, factor: config.factor, precision: 'fp32', threads };
  const run = async (taps: readonly Tap[]) => {
    throwIfAborted(signal);
    const runner = await openRunner(weighted, { ...running, taps });
    const heedNoMore = onAbort(signal, () => void runner.close());
    try {
      return await runner.run(window.map(({ data }) => data));
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    } finally {
      heedNoMore();
      await runner.close();
    }
  };
  const names = stageGates(config);

  // First the factors alone: they choose the channels, and all channels of all stages would fill the memory.
  const factors = await run([...names.values()].map((gate) => ({ value: `${gate}.factors` })));
  const gates = [...names].map(([stage, gate]): GateExplanation => {
    const weights = [...factors[`${gate}.factors`]!.data];
    const [most, least] = [Math.max(...weights), Math.min(...weights)].map((value) => weights.indexOf(value));
    return { stage, weights, most: most!, least: least! };
  });

  const taps = gates.flatMap(({ stage, most, least }) =>
    stepNames(config, stage, names.get(stage)!).map((value) => ({ value, channels: [most, least] })),
  );
  const outputs = await run(taps);
  const maps = gates.map(({ stage }) => {
    const steps = stepNames(config, stage, names.get(stage)!).map((value) => outputs[`${value}.channels`]!);
    const of = (place: number) => ({ steps: steps.map((tensor) => featureMap(tensor, place, paddedSize(width))) });
    return { most: of(0), least: of(1) };
  });
  return { model: weighted.name, gates, maps };
}

/** The model by its name or path. @throws FlavrError as `explainWindow` for a model that it cannot explain. */
export async function loadGatedModel(model: string | Model): Promise<WeightsModel> {
  const loaded = await givenModel(model);
  if (loaded.kind === 'weights' && loaded.config.gating) return loaded;
  const why = loaded.kind === 'graph' ? 'is a graph, whose gates have no known names' : 'has no gates';
  throw new FlavrError('BAD_ARGUMENT', `${loaded.name} ${why}; give a checkpoint of a network with gates.`);
}

/** The gates that are shown, by stage: of an encoder stage the last block's. */
function stageGates(config: ModelConfig): Map<string, string> {
  const gates = new Map<string, string>();
  for (const name of expectedTensors(config).keys()) {
    const match = /^(?:encoder\.(layer\d)|decoder\.(\d))\..*(?=\.attn_layer\.0\.weight$)/.exec(name);
    if (match) gates.set(match[1] ?? `decoder${match[2]}`, match[0]);
  }
  return gates;
}

/** The values behind a gate in the lowerings step by step, one for each step of time. */
function stepNames({ inputs, temporal }: ModelConfig, stage: string, gate: string): string[] {
  const halvings = { layer2: 1, layer3: 2, layer4: 2, decoder0: 2, decoder1: 1 }[stage] ?? 0;
  const steps = temporal === 'none' ? inputs : inputs / 2 ** halvings;
  return Array.from({ length: steps }, (_, t) => `${gate}.t${t}`);
}

function featureMap({ data, dims }: FloatTensor, place: number, frameWidth: number): FeatureMap {
  const [, , height, width] = dims as [number, number, number, number];
  const values = data.slice(place * height * width, (place + 1) * height * width);
  return { values, width, height, scale: frameWidth / width };
}
