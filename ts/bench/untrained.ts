import type { ModelConfig, Tensor, WeightsModel } from '../model/config.js';
import { quantisedActivations } from '../model/graph/build.js';
import { expectedTensors } from '../model/layout.js';

/** Blocks per encoder stage of the shapes that the paper has. */
const BLOCKS = { r18: [2, 2, 2, 2], r34: [3, 4, 6, 3] } as const;
export type UntrainedShape = keyof typeof BLOCKS;
export const UNTRAINED_SHAPES = Object.keys(BLOCKS) as UntrainedShape[];

/**
 * The published network at full width for any k, with noise for weights: as fast as trained ones are, and good for nothing
 * else. The same on every call: the weights are of the size that training starts from, and do not depend on k but in the
 * last layer.
 */
export function untrainedModel(shape: UntrainedShape, factor: number): WeightsModel {
  const config: ModelConfig = {
    encoder: 'r3d',
    blocks: BLOCKS[shape],
    widths: { stem: 64, stages: [64, 128, 256, 512], decoder: [256, 128, 64, 64, 64], fuse: 64 },
    inputs: 4,
    factor,
    fusion: 'concat',
    upsampling: 'transpose',
    batchNorm: false,
    gating: true,
    temporal: 'none',
    residual: 'mean',
  };
  const random = noise(1);
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, optional }] of expectedTensors(config)) {
    if (optional) continue;
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const bound = Math.sqrt(6 / (data.length / shape[0]!));
    for (let i = 0; i < data.length; i++) data[i] = (random() / 2 ** 31 - 1) * bound;
    tensors.set(name, { shape, data });
  }
  const decided = Object.keys(config).map((field) => [field, 'option']);
  const decidedBy = Object.fromEntries(decided) as WeightsModel['decidedBy'];
  const name = `untrained-${shape}`;
  // What a hash is for: it tells these weights from all others, in the cache of engines too.
  const hash = `${name}-${factor}x`;
  const model: WeightsModel = { kind: 'weights', config, decidedBy, tensors, name, hash, metadata: {} };
  // Times do not depend on the ranges either.
  const ranges = new Map(
    [...quantisedActivations(model).keys()].map((activation) => [activation, { min: -1, max: 1 }]),
  );
  return { ...model, calibration: { model: name, hash, windows: 0, ranges } };
}

/** Whole numbers from 0 to 2^32, the same ones for the same seed. */
export function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}
