import { skipWidths } from '../layout.js';
import type { Affine, Kernel, Weights } from './weights.js';

/** Steps of a convolution along time and along both sides of space. Padding keeps the size at stride 1. */
export interface Stride {
  readonly time: number;
  readonly space: number;
}

/**
 * How the network's layers become something: nodes of a graph, or a count of operations. `X` is an activation over time
 * and space, `Y` one over space alone. `name` is the layer's, and unique.
 */
export interface Lowering<X, Y> {
  conv(name: string, x: X, kernel: Kernel, stride: Stride): X;
  /** Transposed convolution, kernel 4x4 with stride 2 in space; in time 3 with stride 1, or 4 with stride 2. */
  deconv(name: string, x: X, kernel: Kernel, timeStride: number): X;
  /** Linear interpolation to twice the height and width and `time` times the steps, half-pixel centres. */
  upsample(name: string, x: X, time: number): X;
  /** Mean of each two neighbouring steps. */
  poolTime(name: string, x: X): X;
  /** Each channel times the sigmoid of `kernel` applied to all channels' means over time and space, then `norm`. */
  gate(name: string, x: X, kernel: Kernel, norm: Affine | undefined): X;
  affine(name: string, x: X, norm: Affine): X;
  relu(name: string, x: X): X;
  leakyRelu(name: string, x: X): X;
  add(name: string, a: X, b: X): X;
  /** Channels of `a`, then those of `b`. */
  concat(name: string, a: X, b: X): X;
  /** All steps side by side in channels (step by step), through the 1x1 convolution and its LeakyReLU. */
  fuse(name: string, x: X, kernel: Kernel): Y;
  /** Reflection pad 3 and the 7x7 convolution. */
  head(name: string, y: Y, kernel: Kernel): Y;
}

/** Slope of every LeakyReLU for negative values. */
export const LEAK = 0.2;

const SAME: Stride = { time: 1, space: 1 };

/**
 * Walks FLAVR once.
 * @param window [B, 3, 2C, H, W], the clip's mean colour subtracted; H and W multiples of 8.
 * @param factor k, a divisor of the model's factor: the head makes only those k-1 frames.
 * @returns [B, 3(k-1), H, W], to which the residual is to be added.
 */
export function network<X, Y>(ops: Lowering<X, Y>, weights: Weights, window: X, factor: number): Y {
  const { config } = weights;
  const [x0, x1, x2, x3, x4] = encoder(ops, weights, window);
  const skips = [x3, x2, x1, x0];
  const widths = skipWidths(config);

  let x = x4;
  let channels = config.widths.stages[3];
  config.widths.decoder.forEach((width, stage) => {
    const name = `decoder.${stage}`;
    x = ops.leakyRelu(`${name}.relu`, decoderStage(ops, weights, stage, x, channels));
    channels = width;
    const skip = skips[stage];
    if (skip === undefined || config.fusion === 'none') return;
    if (config.fusion === 'add') x = ops.add(`${name}.skip`, x, skip);
    else {
      x = ops.concat(`${name}.skip`, x, skip);
      channels += widths[stage]!;
    }
  });

  const { fuse } = config.widths;
  const fuseNorm = config.batchNorm ? 'feature_fuse.conv.1' : undefined;
  const fused = weights.conv('feature_fuse.conv.0', [fuse, channels * config.inputs, 1, 1], fuseNorm);
  const head = weights.head('outconv.1', [3 * (config.factor - 1), fuse, 7, 7], config.factor / factor);
  return ops.head('outconv', ops.fuse('feature_fuse', x, fused), head);
}

/** The stem's and the four stages' activations. */
function encoder<X, Y>(ops: Lowering<X, Y>, weights: Weights, window: X): [X, X, X, X, X] {
  const { config } = weights;
  const time = config.encoder === 'r3d' ? 3 : 1;
  const norm = (name: string) => (config.batchNorm ? name : undefined);
  const { stem, stages } = config.widths;

  const stemKernel = weights.conv('encoder.stem.0', [stem, 3, time, 7, 7], norm('encoder.stem.1'));
  let x = ops.relu('encoder.stem', ops.conv('encoder.stem.conv', window, stemKernel, { time: 1, space: 2 }));
  const activations = [x];
  let channels = stem;
  stages.forEach((width, stage) => {
    const halves = stage === 1 || stage === 2;
    const layer = `encoder.layer${stage + 1}`;
    if (halves && config.temporal === 'pool') x = ops.poolTime(`${layer}.pool`, x);
    for (let index = 0; index < config.blocks[stage]!; index++) {
      const first = index === 0;
      const stride = first && halves ? { time: config.temporal === 'stride' ? 2 : 1, space: 2 } : SAME;
      x = block(`${layer}.${index}`, x, channels, width, stride);
      channels = width;
    }
    activations.push(x);
  });
  return activations as [X, X, X, X, X];

  function block(name: string, input: X, from: number, to: number, stride: Stride): X {
    const conv1 = weights.conv(`${name}.conv1.0`, [to, from, time, 3, 3], norm(`${name}.conv1.1`));
    const conv2 = weights.conv(`${name}.conv2.0`, [to, to, time, 3, 3], norm(`${name}.conv2.1`));
    const inner = ops.relu(`${name}.conv1.relu`, ops.conv(`${name}.conv1`, input, conv1, stride));
    const outer = gated(ops, weights, `${name}.fg`, ops.conv(`${name}.conv2`, inner, conv2, SAME), to);
    const projected = from !== to || stride !== SAME;
    const shortcut = projected
      ? ops.conv(
          `${name}.downsample`,
          input,
          weights.conv(`${name}.downsample.0`, [to, from, 1, 1, 1], norm(`${name}.downsample.1`)),
          stride,
        )
      : input;
    return ops.relu(`${name}.relu`, ops.add(name, outer, shortcut));
  }
}

function gated<X, Y>(
  ops: Lowering<X, Y>,
  weights: Weights,
  name: string,
  x: X,
  channels: number,
  norm?: Affine | undefined,
): X {
  if (weights.config.gating) {
    const kernel = weights.conv(`${name}.attn_layer.0`, [channels, channels, 1, 1, 1]);
    return ops.gate(name, x, kernel, norm);
  }
  return norm ? ops.affine(name, x, norm) : x;
}

/** One decoder stage up to its gate and norm. */
function decoderStage<X, Y>(ops: Lowering<X, Y>, weights: Weights, stage: number, x: X, from: number): X {
  const { config } = weights;
  const to = config.widths.decoder[stage]!;
  const keeps = stage === 0 || stage === 3;
  const trilinear = !keeps && config.upsampling === 'trilinear';
  const name = `decoder.${stage}.${keeps ? 'conv' : 'upconv'}`;
  const [conv, gate, norm] = (trilinear ? [1, 2, 3] : [0, 1, 2]).map((index) => `${name}.${index}`) as [
    string,
    string,
    string,
  ];
  // The stages that mirror the encoder's halvings of time.
  const time = config.temporal !== 'none' && (stage === 1 || stage === 2) ? 2 : 1;
  let y: X;
  if (keeps) {
    y = ops.conv(conv, x, weights.conv(conv, [to, from, 3, 3, 3]), SAME);
  } else if (trilinear) {
    // A 1x1x1 convolution commutes with the interpolation, whose weights sum to 1: first it costs a quarter.
    const kernel = weights.conv(conv, [to, from, 1, 1, 1]);
    y = ops.upsample(`${name}.0`, ops.conv(conv, x, kernel, SAME), time);
  } else {
    y = ops.deconv(conv, x, weights.transposed(conv, [from, to, time + 2, 4, 4]), time);
  }
  return gated(ops, weights, gate, y, to, config.batchNorm ? weights.norm(norm, to) : undefined);
}
