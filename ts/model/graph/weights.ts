import { FlavrError } from '../../errors.js';
import type { WeightsModel } from '../config.js';
import { elementCount } from '../shape.js';

/** Weights of a convolution: [out, in, time, height, width], or [in, out, …] for a transposed one. */
export interface Kernel {
  /** The layer's name in the state dict; its constants are named after it. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major values; made on each call where a norm is folded in. */
  readonly weight: () => Float32Array;
  readonly bias: Float32Array | undefined;
}

/** What a batch norm does to each channel: scale * x + shift. */
export interface Affine {
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

// PyTorch's default, which upstream leaves as it is.
const NORM_EPSILON = 1e-5;

/** A model's tensors by layer, checked against the shapes that its configuration implies, batch norms folded. */
export class Weights {
  readonly config: WeightsModel['config'];
  readonly model: WeightsModel;

  constructor(model: WeightsModel) {
    this.model = model;
    this.config = model.config;
  }

  /** Convolution `name`; where `norm` names a batch norm behind it, that is folded in. */
  conv(name: string, shape: readonly number[], norm?: string): Kernel {
    const weight = this.#tensor(`${name}.weight`, shape);
    const out = shape[0]!;
    const bias = this.#optional(`${name}.bias`, [out]);
    if (norm === undefined) return { name, shape, weight: () => weight, bias };
    const { scale, shift } = this.norm(norm, out);
    return {
      name,
      shape,
      weight: () => scaleRows(weight, scale),
      bias: shift.map((value, i) => value + scale[i]! * (bias?.[i] ?? 0)),
    };
  }

  /** Transposed convolution `name`: [in, out, …]. */
  transposed(name: string, shape: readonly number[]): Kernel {
    const weight = this.#tensor(`${name}.weight`, shape);
    return { name, shape, weight: () => weight, bias: this.#optional(`${name}.bias`, [shape[1]!]) };
  }

  norm(name: string, channels: number): Affine {
    const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      this.#tensor(`${name}.${part}`, [channels]),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const scale = gamma.map((value, i) => value / Math.sqrt(variance[i]! + NORM_EPSILON));
    return { scale, shift: beta.map((value, i) => value - mean[i]! * scale[i]!) };
  }

  /** The last convolution, cut down to the outputs of every `step`-th instant. */
  head(name: string, shape: readonly number[], step: number): Kernel {
    const { weight, bias } = this.conv(name, shape);
    const frames = shape[0]! / 3 + 1;
    const rows: number[] = [];
    for (let instant = step; instant < frames; instant += step)
      rows.push(...[0, 1, 2].map((c) => 3 * (instant - 1) + c));
    const row = elementCount(shape.slice(1));
    return {
      name,
      shape: [rows.length, ...shape.slice(1)],
      weight: () => {
        const all = weight();
        const kept = new Float32Array(rows.length * row);
        rows.forEach((from, to) => {
          kept.set(all.subarray(from * row, (from + 1) * row), to * row);
        });
        return kept;
      },
      bias: bias && Float32Array.from(rows, (from) => bias[from]!),
    };
  }

  #optional(name: string, shape: readonly number[]): Float32Array | undefined {
    return this.model.tensors.has(name) ? this.#tensor(name, shape) : undefined;
  }

  #tensor(name: string, shape: readonly number[]): Float32Array {
    const tensor = this.model.tensors.get(name);
    if (tensor?.shape.join() === shape.join() && tensor.data.length === elementCount(shape)) return tensor.data;
    const found = tensor ? `found [${tensor.shape}]` : 'found none';
    throw new FlavrError(
      'CHECKPOINT_INVALID',
      `The model ${this.model.name} must have a tensor ${name} of shape [${shape}]; ${found}. Is its configuration right?`,
    );
  }
}

function scaleRows(weight: Float32Array, scale: Float32Array): Float32Array {
  const row = weight.length / scale.length;
  const scaled = new Float32Array(weight.length);
  for (let out = 0, i = 0; out < scale.length; out++) {
    const factor = scale[out]!;
    for (const end = i + row; i < end; i++) scaled[i] = weight[i]! * factor;
  }
  return scaled;
}
