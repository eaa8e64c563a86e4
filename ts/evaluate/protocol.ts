import type { PsnrVariant } from './psnr.js';
import type { SsimVariant } from './ssim.js';

/** One measurement: a window, and the true frames of its middle gap. Paths of image files. */
export interface Sample {
  /** Unique within the data set; names its files in reports. */
  readonly id: string;
  /** The clip it belongs to, for per-sequence figures. */
  readonly sequence: string;
  /** 2C frames in order of time. */
  readonly inputs: readonly string[];
  /** The k-1 frames between the middle two inputs, in order of time. */
  readonly targets: readonly string[];
  /** How many of the inputs repeat a neighbour because the clip has no frame there. */
  readonly repeated: number;
}

/** What is done to every frame, inputs and targets alike, before anything is measured. */
export type Preparation =
  | { readonly kind: 'none' }
  /** The middle of the picture; a side that is shorter stays as it is. */
  | { readonly kind: 'centre-crop'; readonly width: number; readonly height: number }
  /** Both sides halved by area averaging (Xiph at 2K, from 4096x2160). */
  | { readonly kind: 'halve' };

export interface SampleOptions {
  /** 2C of the model. */
  readonly inputs: number;
  /** k: the protocol's own unless a variant is asked for. */
  readonly factor: number;
}

/** How something is measured, and after whom: what a figure is worth without the figures. */
export interface Measurement {
  readonly name: string;
  readonly title: string;
  readonly preparation: Preparation;
  readonly psnr: PsnrVariant;
  readonly ssim: SsimVariant;
  /** Also report the interpolation error (Middlebury). */
  readonly interpolationError?: boolean;
  /** How many samples the published figures are over, where it is known. */
  readonly publishedCount?: number;
  /** Where the protocol is defined. */
  readonly source: string;
  /** Two-frame sets: the outer frames come from the clip where it has them, else the nearest is repeated. */
  readonly twoFrame?: boolean;
}

/** A published way to measure: which frames, prepared how, measured how. */
export interface Protocol extends Measurement {
  /** k as published, first, and the others that its frames allow. */
  readonly factors: readonly number[];
  /** The folder that `--data` must name, for messages. */
  readonly layout: string;
  /** @throws FlavrError `DATASET_INVALID` saying what was expected and what was found. */
  samples(folder: string, options: SampleOptions): Promise<Sample[]>;
}
