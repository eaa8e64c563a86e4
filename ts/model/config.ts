import { either, type Kind, PATH } from '../arguments.js';
import type { Engine } from '../engine/file.js';
import type { Calibration } from './calibration.js';

/** How a decoder stage takes in the encoder's activation of the same size. */
export type Fusion = 'concat' | 'add' | 'none';
/** How the decoder doubles height and width. */
export type Upsampling = 'transpose' | 'trilinear';
/** How the encoder shortens time in the ablations; the published models do not. */
export type TemporalReduction = 'none' | 'stride' | 'pool';
/**
 * What is added to the network's output. mean: the window's mean colour (published). blend: the linear blend of the two
 * middle frames, (1-t)*before + t*after for the output at instant t of the gap (for factor 2: their mean).
 */
export type Residual = 'mean' | 'blend';

/** Everything that decides the shape of a FLAVR network. Kernel sizes follow from it; biases are there where the file has them. */
export interface ModelConfig {
  /** r3d: encoder kernels 3x3x3. r2d: 1x3x3 (ablation); the decoder stays three-dimensional. */
  readonly encoder: 'r3d' | 'r2d';
  /** Basic blocks per encoder stage: 2,2,2,2 is r3d-18; 3,4,6,3 is r3d-34. */
  readonly blocks: readonly [number, number, number, number];
  readonly widths: {
    readonly stem: number;
    readonly stages: readonly [number, number, number, number];
    /** Output channels of the five decoder stages (before a concatenated skip). */
    readonly decoder: readonly [number, number, number, number, number];
    /** Output channels of the 1x1 convolution that joins the time steps. */
    readonly fuse: number;
  };
  /** 2C: frames in a window. */
  readonly inputs: number;
  /** m: the network gives the m-1 frames of the middle gap. */
  readonly factor: number;
  readonly fusion: Fusion;
  readonly upsampling: Upsampling;
  readonly batchNorm: boolean;
  readonly gating: boolean;
  /**
   * stride: the first block of stages 2 and 3 has temporal stride 2. pool: an average pool (2,1,1) before each of them.
   * In both, decoder stages 1 and 2 double time again: kernel (4,4,4), stride 2, padding 1.
   */
  readonly temporal: TemporalReduction;
  readonly residual: Residual;
}

/** What settled a field of the configuration; `inspect` prints it. */
export type DecidedBy = 'tensors' | 'metadata' | 'option' | 'default';

export interface Tensor {
  readonly shape: readonly number[];
  /** Row-major values. */
  readonly data: Float32Array;
}

/** A network whose weights are in memory under upstream's state-dict names (no `module.` prefix). */
export interface WeightsModel {
  readonly kind: 'weights';
  readonly config: ModelConfig;
  readonly decidedBy: Readonly<Record<keyof ModelConfig, DecidedBy>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Name of a bundled model, or the file's base name. */
  readonly name: string;
  /** SHA-256, in hex, over configuration and weights: equal weights in another file format have the same hash. */
  readonly hash: string;
  /** The file's own metadata, as written there. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Needed for precision int8. */
  readonly calibration?: Calibration;
}

/** A FLAVR graph that someone exported themselves; the framed form is composed around it. */
export interface GraphModel {
  readonly kind: 'graph';
  readonly inputs: number;
  readonly factor: number;
  /** Fixed height and width of the graph's inputs: the padded size. */
  readonly height: number;
  readonly width: number;
  /** The ONNX file. */
  readonly bytes: Uint8Array;
  /** The file's base name. */
  readonly name: string;
  /** SHA-256 of the file, in hex. */
  readonly hash: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What `loadModel` gives. */
export type Model = WeightsModel | GraphModel;

/** A network that is at hand only as an engine, built for one factor, size and batch. */
export interface BuiltModel {
  readonly kind: 'engine';
  readonly inputs: number;
  /** Of the model it was built from. */
  readonly name: string;
  /** The engine's own k, whatever that model could do. */
  readonly factor: number;
  readonly engine: Engine;
}

const LOADED: Kind = {
  words: 'what loadModel gave',
  fits: (value) => ['weights', 'graph'].includes((value as Partial<Model> | null)?.kind ?? ''),
};

/** What every call that takes a model takes. */
export const MODEL: Kind = either({ words: "a bundled model's name, a path", fits: PATH.fits }, LOADED);

/** m of any kind of model. */
export const modelFactor = (model: Model | BuiltModel): number =>
  model.kind === 'weights' ? model.config.factor : model.factor;
/** 2C of any kind of model. */
export const modelInputs = (model: Model | BuiltModel): number =>
  model.kind === 'weights' ? model.config.inputs : model.inputs;
