import * as ort from 'onnxruntime-node';
import { decodeFloats } from '../../ts/model/checkpoint/dtype.js';
import { readSafetensorsHeader } from '../../ts/model/checkpoint/safetensors.js';
import { openSource, readBytes } from '../../ts/model/checkpoint/source.js';
import type { ModelConfig, Tensor, WeightsModel } from '../../ts/model/config.js';
import { expectedTensors } from '../../ts/model/layout.js';
import { loadModel } from '../../ts/model/load.js';
import { GOLDENS, type Golden, readGolden, ruleWeights, TINY_GOLDENS } from '../support/goldens.js';

/** The published configuration of width nf, with fields changed. */
export function configOf(nf: number, fields: Partial<ModelConfig> = {}): ModelConfig {
  return {
    encoder: 'r3d',
    blocks: [2, 2, 2, 2],
    widths: {
      stem: nf,
      stages: [nf, 2 * nf, 4 * nf, 8 * nf],
      decoder: [4 * nf, 2 * nf, nf, nf, nf],
      fuse: nf,
    },
    inputs: 4,
    factor: 2,
    fusion: 'concat',
    upsampling: 'transpose',
    batchNorm: false,
    gating: true,
    temporal: 'none',
    residual: 'mean',
    ...fields,
  };
}

export function modelOf(name: string, config: ModelConfig, tensors: ReadonlyMap<string, Tensor>): WeightsModel {
  const decidedBy = Object.fromEntries(Object.keys(config).map((key) => [key, 'option']));
  return {
    kind: 'weights',
    config,
    decidedBy: decidedBy as WeightsModel['decidedBy'],
    tensors,
    name,
    hash: '0'.repeat(64),
    metadata: {},
  };
}

/** A golden and the model that made it, weights by the rule or, where they lie beside it, from their file. */
export async function goldenModel(name: string): Promise<{ golden: Golden; model: WeightsModel }> {
  const golden = await readGolden(name);
  const { metadata } = golden;
  const config = configOf(Number(metadata.nf), {
    blocks: metadata.block === 'unet_34' ? [3, 4, 6, 3] : [2, 2, 2, 2],
    inputs: Number(metadata.nbr_frame),
    factor: Number(metadata.n_outputs) + 1,
    fusion: metadata.joinType as ModelConfig['fusion'],
    upsampling: metadata.upmode === 'transpose' ? 'transpose' : 'trilinear',
    batchNorm: metadata.batchnorm === 'True',
  });
  const stored = (TINY_GOLDENS as readonly string[]).includes(name);
  const tensors = stored
    ? ((await loadModel(`${GOLDENS}/${name}.weights.safetensors`)) as WeightsModel).tensors
    : ruleWeights(golden.tensors, Number(metadata.gain));
  return { golden, model: modelOf(name, config, tensors) };
}

/** The networks of variants.safetensors by name, each with the first 2C frames and PyTorch's outputs. */
export async function readVariants(): Promise<Map<string, Variant>> {
  const source = await openSource('test/fixtures/graph/variants.safetensors');
  try {
    const { tensors, metadata } = await readSafetensorsHeader(source);
    const read = async (name: string) => {
      const { offset, bytes, shape, dtype } = tensors.get(name)!;
      return { shape, dtype, bytes: await readBytes(source, offset, bytes, name) };
    };
    const frames = await read('frames');
    const [, height, width] = frames.shape as [number, number, number, number];
    const variants = new Map<string, Variant>();
    for (const [name, description] of Object.entries(metadata)) {
      const { config, tensors: shapes } = JSON.parse(description) as { config: ModelConfig; tensors: Shapes };
      const { shape, dtype, bytes } = await read(name);
      variants.set(name, {
        model: modelOf(name, config, ruleWeights(shapes)),
        height,
        width,
        frames: Array.from({ length: config.inputs }, (_, t) => {
          const size = height * width * 3;
          return new Uint8Array(frames.bytes.subarray(t * size, (t + 1) * size));
        }),
        outputs: { shape, data: decodeFloats(dtype, bytes) },
      });
    }
    return variants;
  } finally {
    await source.close();
  }
}

type Shapes = Readonly<Record<string, readonly number[]>>;

export interface Variant {
  readonly model: WeightsModel;
  readonly height: number;
  readonly width: number;
  readonly frames: readonly Uint8Array[];
  readonly outputs: Tensor;
}

/** A published network of width nf with weights by the rule. */
export function ruleModel(nf: number, fields: Partial<ModelConfig> = {}): WeightsModel {
  const config = configOf(nf, fields);
  const shapes: Record<string, readonly number[]> = {};
  for (const [name, { shape, optional }] of expectedTensors(config)) {
    // The published 2x model has biases in the gates, the decoder and the last convolution.
    if (!optional || /attn_layer|^decoder|^outconv/.test(name)) shapes[name] = shape;
  }
  return modelOf(`rule-${nf}`, config, ruleWeights(shapes));
}

/** Frames of repeatable noise. */
export function noiseFrames(count: number, height: number, width: number, seed = 1): Uint8Array[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () =>
    Uint8Array.from({ length: height * width * 3 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  );
}

export type Feeds = Readonly<Record<string, ort.Tensor>>;

/** Runs an ONNX file once in the real ONNX Runtime. */
export async function runOnnx(
  bytes: Uint8Array,
  feeds: Feeds,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 2, logSeverityLevel: 3, ...options });
  try {
    return (await session.run(feeds)) as Record<string, ort.Tensor>;
  } finally {
    await session.release();
  }
}

/** Feeds of a raw graph: the window [1, 3, 2C, H, W]. */
export const rawFeeds = (window: Float32Array, { inputs }: ModelConfig, height: number, width: number): Feeds => ({
  frames: new ort.Tensor('float32', window, [1, 3, inputs, height, width]),
});

/** Feeds of a framed graph: each frame rgb24. */
export const frameFeeds = (frames: readonly Uint8Array[], height: number, width: number): Feeds =>
  Object.fromEntries(frames.map((frame, i) => [`frame${i}`, new ort.Tensor('uint8', frame, [1, height, width, 3])]));

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

/** PSNR of two pictures in units of 1, each clamped to [0, 1]. */
export function clampedPsnr(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const unit = (x: number) => Math.min(Math.max(x, 0), 1);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (unit(a[i]!) - unit(b[i]!)) ** 2;
  return -10 * Math.log10(sum / a.length);
}

/** Outputs [k-1, 3, H, W] in units of 255 as bytes [k-1, H, W, 3], clamped and rounded half to even. */
export function roundedOutputs({ shape, data }: Tensor): Uint8ClampedArray {
  const [count, , height, width] = shape as [number, number, number, number];
  const pixels = height * width;
  const bytes = new Uint8ClampedArray(data.length);
  for (let frame = 0; frame < count; frame++) {
    for (let channel = 0; channel < 3; channel++) {
      const plane = (frame * 3 + channel) * pixels;
      for (let i = 0; i < pixels; i++) bytes[(frame * pixels + i) * 3 + channel] = data[plane + i]! * 255;
    }
  }
  return bytes;
}
