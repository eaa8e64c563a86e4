import { FLAG, type Kinds, needed, oneOf, whole } from '../arguments.js';
import { SIDE } from '../frame.js';

/**
 * Of the convolutions. int8: weights and activations in eight bits, for the CPU; the model must have a calibration, and the
 * lowering is 2d.
 */
export type Precision = 'fp32' | 'fp16' | 'int8';
export const LOWERINGS = ['3d', '2d', 'winograd'] as const;
/**
 * 3d keeps Conv and ConvTranspose with 5-D tensors; 2d is the exact reformulation as sums of 2-D convolutions, step by step.
 * winograd is 2d with six convolutions of sums of steps for ten of single ones, and in layers of 128 channels or more (64 in a
 * graph in blocks) the same again along the rows. It differs from 2d by rounding alone, has twice the weights, four times in
 * those layers, and is made for ONNX Runtime on the CPU, where it takes half the time. In fp16 and int8 it is 2d: the sums
 * would be rounded to half, or to eight bits.
 */
export type Lowering = (typeof LOWERINGS)[number];
/**
 * raw: one float32 input `frames` [B,3,2C,H,W] in [0,1], one float32 output `interpolated` [B,k-1,3,H,W], unclamped.
 * framed: inputs `frame0` … uint8 [B,H,W,3]; outputs `interpolated` uint8 [B,k-1,H,W,3] and `peak` float32 [B].
 * ring: as framed, but each input is uint8 [B,stride], stride being H*W*3 rounded up to 256 (device addresses need it).
 * unrounded: inputs as framed; one output `interpolated`, float32 [B,k-1,3,H,W], neither clamped nor rounded.
 */
export type GraphForm = 'raw' | 'framed' | 'ring' | 'unrounded';

/** Which graph is made of a model. */
export interface GraphSpec {
  /** Size of the frames as handed in; padding to multiples of 8 is inside the graph (outside of `raw`). */
  readonly width: number;
  readonly height: number;
  /** k: a divisor of the model's factor, greater than 1. Default: the model's factor. */
  readonly factor?: number | undefined;
  /** B. Default 1. */
  readonly batch?: number | undefined;
  /** Default fp32. */
  readonly precision?: Precision | undefined;
  /** Default 3d, in int8 2d. A graph that someone exported keeps its own operators. */
  readonly lowering?: Lowering | undefined;
  /** Default framed. */
  readonly form?: GraphForm | undefined;
  /**
   * How many channels of an activation ONNX Runtime has side by side where it convolves, of which its processor decides; the
   * winograd lowering then writes the graph in that order, for which nothing needs to be put into another. Default 1: in
   * ONNX's own order. A graph in blocks is for ONNX Runtime on such a processor alone.
   */
  readonly block?: number | undefined;
  /**
   * Whether the weights of wide winograd layers are inputs, which a session on ONNX Runtime's CPU provider makes for itself
   * and hands in with every run: a graph that holds them is four times as large, and ONNX Runtime holds it three times over
   * while it puts weights into the order of its own convolutions. Default false; goes with `block` alone.
   */
  readonly fed?: boolean | undefined;
}

/** With all defaults filled in. */
export type CompleteGraphSpec = { readonly [Name in keyof GraphSpec]-?: NonNullable<GraphSpec[Name]> };

/** How the options of a graph are checked. */
export const GRAPH_SPEC: Kinds<GraphSpec> = {
  width: needed(SIDE),
  height: needed(SIDE),
  factor: whole(1),
  batch: whole(1),
  precision: oneOf('fp32', 'fp16', 'int8'),
  lowering: oneOf(...LOWERINGS),
  form: oneOf('raw', 'framed', 'ring', 'unrounded'),
  block: whole(1),
  fed: FLAG,
};

/** A layer whose weights are inputs of the graph. */
export interface FedKernel {
  /** In the model. Graphs of one model that have the same name have the same weights. */
  readonly name: string;
  /** [out, in, 3, 3, 3]. */
  readonly shape: readonly number[];
  /** The index along time of the slices that meet the step before, the same and the step behind. */
  readonly slices: readonly number[];
  /** Row-major values. */
  readonly weight: () => Float32Array;
  /** The graph's input for them. */
  readonly input: string;
  /** What that takes. */
  readonly bytes: number;
}

/** What a caller must know of a graph before running it, and how its file is written. */
export interface PlannedGraph {
  /** Converts the weights, without blocking the event loop, and gives the serialized ONNX ModelProto. */
  readonly encode: () => Promise<Uint8Array>;
  readonly spec: CompleteGraphSpec;
  /** Names of the frames' inputs, in order of time. */
  readonly inputs: readonly string[];
  /** Empty unless `spec.fed` is set. */
  readonly fed: readonly FedKernel[];
  /** Bytes from one frame to the next in the ring form; H*W*3 in the framed form. */
  readonly frameStride: number;
  readonly estimate: GraphEstimate;
}

/** A finished ONNX graph. */
export interface BuiltGraph extends Omit<PlannedGraph, 'encode'> {
  /** The serialized ONNX ModelProto. */
  readonly bytes: Uint8Array;
}

/** What a graph takes, counted on the graph itself. */
export interface GraphEstimate {
  readonly parameters: number;
  /** Of the weights that the graph holds, as it holds them. */
  readonly weightBytes: number;
  /** Largest sum of activations alive at one time, in bytes, from the graph's own order of nodes. */
  readonly peakActivationBytes: number;
  /** Multiply-adds times two per window, taps that fall outside the window not counted. */
  readonly usefulFlops: number;
  /** The same with padding taps counted, as papers do. */
  readonly paperFlops: number;
  /** Elements of the largest single tensor (TensorRT refuses 2^31 or more). */
  readonly largestTensor: number;
}

/** A value inside a graph that is to be an output too. */
export interface Tap {
  /**
   * Its name: a layer's, such as `encoder.layer1.0.fg.factors` (the factors of a gate) or, in the 2d lowering,
   * `decoder.4.upconv.1.t0`.
   */
  readonly value: string;
  /** Only these of its channels; the output is then called `VALUE.channels`. Default: all, under its own name. */
  readonly channels?: readonly number[];
  /** Only about this many of its values, evenly spaced, [n]; the output is then called `VALUE.sample`. */
  readonly sample?: number;
}
