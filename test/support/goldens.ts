import { readFileSync } from 'node:fs';
import { decodeFloats } from '../../ts/model/checkpoint/dtype.js';
import { readSafetensorsHeader } from '../../ts/model/checkpoint/safetensors.js';
import { openSource, readBytes } from '../../ts/model/checkpoint/source.js';
import type { Tensor } from '../../ts/model/config.js';
import { elementCount } from '../../ts/model/shape.js';

/** A reference vector of test/fixtures/goldens; the README there says where it comes from. */
export interface Golden {
  /** 2C frames, rgb24, each height * width * 3 bytes. */
  readonly frames: readonly Uint8Array[];
  readonly height: number;
  readonly width: number;
  /** The same frames as [1,3,2C,H,W] in [0,1]: the input of a raw graph. */
  readonly raw: Float32Array;
  /** [k-1,3,H,W], neither clamped nor rounded. */
  readonly outputs: Tensor;
  /** Activations by layer (`stem`, `layer1` … `layer4`, `decoder0` … `decoder4`, `fuse`), where the file has them. */
  readonly taps: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Every state-dict name of the model with its shape. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

/** A pair of rgb24 images and the figures that the official code and scikit-image give for it. */
export interface MetricGolden {
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** The official code's PSNR on x/255. */
  readonly psnr: number;
  /** The official code's `ssim_matlab` (3-D) on x/255. */
  readonly ssim: number;
  readonly ssim_2d: number;
  /** Null where the images are equal. */
  readonly skimage_psnr_u8: number | null;
  readonly skimage_ssim_u8: number;
}

export const GOLDENS = 'test/fixtures/goldens';
/** The full-width goldens, whose weights `ruleWeights` makes. */
export const FULL_WIDTH_GOLDENS = [
  'r18-k2',
  'r18-k2-batchnorm',
  'r18-k2-inputs2',
  'r18-k2-inputs6',
  'r18-k2-none',
  'r18-k2-upsample',
  'r18-k4-add',
  'r18-k8',
  'r34-k2',
] as const;
/** The goldens whose weights lie beside them, as `.legacy.pth`, `.zip.pth` and `.weights.safetensors`. */
export const TINY_GOLDENS = ['tiny8-k2', 'tiny8-k8'] as const;

export async function readGolden(name: string): Promise<Golden> {
  const source = await openSource(`${GOLDENS}/${name}.safetensors`);
  try {
    const { tensors, metadata } = await readSafetensorsHeader(source);
    const load = async (tensor: string) => {
      const { offset, bytes, shape, dtype } = tensors.get(tensor)!;
      return { shape, dtype, bytes: await readBytes(source, offset, bytes, tensor) };
    };
    const floats = async (tensor: string): Promise<Tensor> => {
      const { shape, dtype, bytes } = await load(tensor);
      return { shape, data: decodeFloats(dtype, bytes) };
    };
    const { shape, bytes } = await load('frames');
    const [count, height, width] = shape as [number, number, number];
    const size = height * width * 3;
    const frames = Array.from({ length: count }, (_, i) => new Uint8Array(bytes.subarray(i * size, (i + 1) * size)));
    const taps = new Map<string, Tensor>();
    for (const tensor of tensors.keys()) if (tensor.startsWith('tap.')) taps.set(tensor.slice(4), await floats(tensor));
    const { tensors: names, ...rest } = metadata;
    return {
      frames,
      height,
      width,
      raw: rawInput(frames, height * width),
      outputs: await floats('outputs'),
      taps,
      metadata: rest,
      tensors: JSON.parse(names!),
    };
  } finally {
    await source.close();
  }
}

/** The four image pairs of the metric goldens, with the figures for each. */
export async function readMetricGoldens(): Promise<MetricGolden[]> {
  const source = await openSource(`${GOLDENS}/metrics.safetensors`);
  try {
    const { tensors } = await readSafetensorsHeader(source);
    const image = async (name: string) => {
      const { offset, bytes } = tensors.get(name)!;
      return new Uint8Array(await readBytes(source, offset, bytes, name));
    };
    const figures = JSON.parse(readFileSync(`${GOLDENS}/metrics.json`, 'utf8')) as Omit<MetricGolden, 'a' | 'b'>[];
    const pairs: MetricGolden[] = [];
    for (const [i, figure] of figures.entries()) {
      pairs.push({ ...figure, a: await image(`a${i}`), b: await image(`b${i}`) });
    }
    return pairs;
  } finally {
    await source.close();
  }
}

/** Interleaved rgb24 frames to planar [3,2C,H,W] in [0,1]. */
export function rawInput(frames: readonly Uint8Array[], pixels: number): Float32Array {
  const raw = new Float32Array(3 * frames.length * pixels);
  frames.forEach((frame, time) => {
    for (let channel = 0; channel < 3; channel++) {
      const plane = (channel * frames.length + time) * pixels;
      for (let i = 0; i < pixels; i++) raw[plane + i] = frame[i * 3 + channel]! / 255;
    }
  });
  return raw;
}

/**
 * Weights by the rule in test/fixtures/README.md, for `tensors` (name to shape). `num_batches_tracked` is left out.
 * A full-width model has 42 million values: about a second.
 */
export function ruleWeights(tensors: Readonly<Record<string, readonly number[]>>, gain = 1.25): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const [name, shape] of Object.entries(tensors)) {
    if (name.endsWith('.num_batches_tracked')) continue;
    const value = ruleFor(name, shape, gain);
    const data = new Float32Array(elementCount(shape));
    let state = fnv1a(name);
    for (let i = 0; i < data.length; i++) {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
      data[i] = value(((t ^ (t >>> 14)) >>> 0) / 2 ** 32);
    }
    weights.set(name, { shape, data });
  }
  return weights;
}

/** How the rule turns u in [0,1) into an element of the tensor. */
function ruleFor(name: string, shape: readonly number[], gain: number): (u: number) => number {
  if (name.endsWith('.running_var')) return (u) => 0.5 + u;
  if (name.endsWith('.running_mean')) return (u) => (2 * u - 1) * 0.1;
  if (shape.length === 1) return name.endsWith('.weight') ? (u) => 0.75 + 0.5 * u : (u) => (2 * u - 1) * 0.05;
  const bound = Math.sqrt(6 / elementCount(shape.slice(1)));
  return (u) => (2 * u - 1) * bound * gain;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
