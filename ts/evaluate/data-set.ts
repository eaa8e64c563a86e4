import {
  checkArgument,
  checkOptions,
  type Kind,
  type Kinds,
  needed,
  oneOf,
  PATH,
  SIGNAL,
  whole,
} from '../arguments.js';
import { FlavrError, shown } from '../errors.js';
import { FACTOR } from '../options.js';
import { type BytePicture, prepare } from './prepare.js';
import type { Measurement, Protocol, Sample } from './protocol.js';
import { PROTOCOLS } from './protocols.js';
import { readImage } from './read-image.js';
import { openVideoSet } from './video-set.js';

/** A window, and the true frames of its middle gap, prepared as the protocol says. */
export interface SampleFrames {
  readonly window: readonly BytePicture[];
  readonly truth: readonly BytePicture[];
}

/** A sample whose frames are still to be had. */
export interface LazySample extends Pick<Sample, 'id' | 'sequence' | 'repeated'> {
  load(): Promise<SampleFrames>;
}

/** Samples to measure methods on. */
export interface DataSet {
  readonly measurement: Measurement;
  /** k. */
  readonly factor: number;
  /** 2C of the windows. */
  readonly inputs: number;
  /** How many samples there are; undefined where only decoding tells. Of a video at most: gaps with cuts are left out. */
  readonly count: number | undefined;
  /** What was noticed of a video as it was opened, such as numbers that its images skip. */
  readonly warnings?: readonly string[];
  /** In an order that is always the same. May be asked for again. */
  samples(): AsyncIterable<LazySample>;
}

/** Which figures are taken: those of the official code, of CAIN's, of 8-bit values, or of 8-bit luma. */
export type Metrics = keyof typeof METRICS;

const METRICS = {
  flavr: { psnr: 'flavr', ssim: 'matlab3d' },
  cain: { psnr: 'rounded80', ssim: 'matlab3d-rounded' },
  rounded: { psnr: 'rounded', ssim: 'uniform7' },
  y: { psnr: 'y', ssim: 'gaussian2d-luma' },
} as const satisfies Record<string, Pick<Measurement, 'psnr' | 'ssim'>>;

export const METRICS_NAMES = Object.keys(METRICS) as Metrics[];

/** What {@link openDataSet} takes beside name and path. */
export interface DataSetOptions {
  /** 2C: the most that any of the methods looks at. */
  readonly inputs: number;
  /** Default: the protocol's own; 2 for a video. */
  readonly factor?: number | undefined;
  /** At most so many samples: of a published set spread evenly over it, of a video the first. */
  readonly limit?: number | undefined;
  /** Default: the protocol's own; the official code's for a video. */
  readonly metrics?: Metrics | undefined;
  /** Ends the reading with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** 2C, the frames of a window. */
export const INPUTS: Kind = {
  words: 'an even number of frames, from 2',
  fits: (value) => Number.isInteger(value) && (value as number) >= 2 && (value as number) % 2 === 0,
};

/** Of every call that measures on a data set. */
export const MEASURING: Kinds<Omit<DataSetOptions, 'inputs'>> = {
  factor: FACTOR,
  limit: whole(1),
  metrics: oneOf(...METRICS_NAMES),
  signal: SIGNAL,
};

const SET_OPTIONS: Kinds<DataSetOptions> = { inputs: needed(INPUTS), ...MEASURING };

/** With everything that has a default. */
export type OpenedOptions = DataSetOptions & { readonly factor: number };

/** The name under which any video or folder of frames is a data set. */
export const VIDEO_SET = 'video';

/** Several sets under one name. */
const GROUPS: ReadonlyMap<string, readonly string[]> = new Map(
  ['snu-film', 'snu-film-flavr'].map((group) => [
    group,
    [...PROTOCOLS.keys()].filter((name) => name.replace(/-[a-z]+$/, '') === group),
  ]),
);

/** Every name that `dataSetNames` knows. */
export const DATA_SETS: readonly string[] = [VIDEO_SET, ...GROUPS.keys(), ...PROTOCOLS.keys()];

/** The sets that a name stands for. @throws FlavrError `BAD_ARGUMENT` listing the names. */
export function dataSetNames(name: string): readonly string[] {
  if (name === VIDEO_SET || PROTOCOLS.has(name)) return [name];
  const group = GROUPS.get(name);
  if (group) return group;
  throw new FlavrError('BAD_ARGUMENT', `There is no data set ${shown(name)}; the names are ${DATA_SETS.join(', ')}.`);
}

/** The k that a data set, or a group of them, is measured with where none is asked for. @throws as `dataSetNames`. */
export const defaultFactor = (name: string): number => PROTOCOLS.get(dataSetNames(name)[0]!)?.factors[0] ?? 2;

/**
 * Opens a data set.
 * @param name `video`, or a published protocol's.
 * @param path the folder in its published layout; for `video` any video file or folder of images.
 * @throws FlavrError `DATASET_INVALID` saying what was expected and what was found; `BAD_ARGUMENT` for a name or factor that
 * the protocol does not have, windows of no even number of frames, or a limit below 1; for a video also what reading videos
 * throws.
 */
export async function openDataSet(name: string, path: string, options: DataSetOptions): Promise<DataSet> {
  checkArgument('path', path, PATH);
  checkOptions('openDataSet', options, SET_OPTIONS);
  const names = dataSetNames(name);
  const known = { ...options, factor: options.factor ?? defaultFactor(name) };
  if (name === VIDEO_SET) return withMetrics(await openVideoSet(path, known), options.metrics);
  if (names.length > 1) {
    throw new FlavrError('BAD_ARGUMENT', `${name} stands for several data sets; open one of ${names.join(', ')}.`);
  }
  const protocol = PROTOCOLS.get(name)!;
  return withMetrics(await openPublishedSet(protocol, path, known), options.metrics);
}

function withMetrics(set: DataSet, metrics: Metrics | undefined): DataSet {
  return metrics ? { ...set, measurement: { ...set.measurement, ...METRICS[metrics] } } : set;
}

async function openPublishedSet(protocol: Protocol, folder: string, options: OpenedOptions): Promise<DataSet> {
  const { samples: _list, layout: _layout, factors, ...measurement } = protocol;
  const { factor, limit } = options;
  // Which windows a four-frame protocol has does not depend on whether a method looks at all of them.
  const inputs = protocol.twoFrame ? options.inputs : Math.max(4, options.inputs);
  if (!factors.includes(factor)) {
    const known = [...factors].sort((a, b) => a - b).join(', ');
    throw new FlavrError('BAD_ARGUMENT', `${protocol.name} is measured with k = ${known}; got ${factor}.`);
  }
  const all = await protocol.samples(folder, { inputs, factor });
  const samples = limit === undefined ? all : spread(all, limit);
  return {
    measurement,
    factor,
    inputs,
    count: samples.length,
    async *samples() {
      for (const sample of samples) {
        const { id, sequence, repeated } = sample;
        yield { id, sequence, repeated, load: () => loadSample(sample, protocol) };
      }
    },
  };
}

/** At most `limit` of a list, evenly spread and in order. */
function spread<T>(list: readonly T[], limit: number): T[] {
  if (list.length <= limit) return [...list];
  return Array.from({ length: limit }, (_, i) => list[Math.floor((i * list.length) / limit)]!);
}

async function loadSample({ inputs, targets }: Sample, { preparation }: Protocol): Promise<SampleFrames> {
  const cache = new Map<string, BytePicture>();
  for (const path of [...inputs, ...targets]) {
    if (!cache.has(path)) cache.set(path, prepare(await readImage(path), preparation));
  }
  const get = (path: string) => cache.get(path)!;
  const frames = { window: inputs.map(get), truth: targets.map(get) };
  const [{ width, height }] = frames.window as [BytePicture];
  for (const [path, picture] of cache) {
    if (picture.width === width && picture.height === height) continue;
    const sizes = `${inputs[0]} has ${width}x${height}, ${path} has ${picture.width}x${picture.height}`;
    throw new FlavrError('DATASET_INVALID', `The frames of a sample must have one size: ${sizes}.`);
  }
  return frames;
}
