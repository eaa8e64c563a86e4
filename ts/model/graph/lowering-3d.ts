import { ElementType } from '../onnx/proto.js';
import type { GraphBuilder, Value } from './builder.js';
import { bias, gateFactors, head, joinTime, leakyRelu, perChannel } from './layers.js';
import type { Lowering, Stride } from './network.js';
import type { Affine, Kernel } from './weights.js';

/** Activations are [B, C, T, H, W]; convolutions stay three-dimensional. */
export class Lowering3d implements Lowering<Value, Value> {
  readonly #b: GraphBuilder;
  readonly #type: ElementType;

  /** @param type of activations and weights, but for the means and gates, which are float32. */
  constructor(builder: GraphBuilder, type: ElementType) {
    this.#b = builder;
    this.#type = type;
  }

  /** The window from its frames, each [B, 3, H, W] of the lowering's element type. */
  window(frames: readonly Value[]): Value {
    return joinTime(this.#b, 'window', frames);
  }

  conv(name: string, x: Value, kernel: Kernel, stride: Stride): Value {
    const [out, , time, height, width] = kernel.shape as [number, number, number, number, number];
    const kernelShape = [time, height, width];
    const pads = kernelShape.map((size) => (size - 1) / 2);
    const strides = [stride.time, stride.space, stride.space];
    const sizes = x.shape.slice(2).map((size, i) => Math.ceil(size / strides[i]!));
    return this.#b.node('Conv', name, [x, this.#weight(kernel), ...this.#bias(kernel)], [x.shape[0]!, out, ...sizes], {
      kernel_shape: kernelShape,
      pads: [...pads, ...pads],
      strides,
    });
  }

  deconv(name: string, x: Value, kernel: Kernel, timeStride: number): Value {
    const [batch, , time, height, width] = x.shape as [number, number, number, number, number];
    const shape = [batch, kernel.shape[1]!, time * timeStride, 2 * height, 2 * width];
    return this.#b.node('ConvTranspose', name, [x, this.#weight(kernel), ...this.#bias(kernel)], shape, {
      kernel_shape: kernel.shape.slice(2),
      pads: [1, 1, 1, 1, 1, 1],
      strides: [timeStride, 2, 2],
    });
  }

  upsample(name: string, x: Value, time: number): Value {
    // Linear interpolation is separable; with time folded into the channels (or space into one axis) it is a plain 2-D one,
    // which every runtime has.
    const b = this.#b;
    const [batch, channels, steps, height, width] = x.shape as [number, number, number, number, number];
    const flat = b.reshape(`${name}.flat`, x, [batch, channels * steps, height, width]);
    let y = b.resize(`${name}.space`, flat, [2, 2]);
    if (time === 2) {
      y = b.reshape(`${name}.rows`, y, [batch, channels, steps, 4 * height * width]);
      y = b.resize(`${name}.time`, y, [2, 1]);
    }
    return b.reshape(name, y, [batch, channels, steps * time, 2 * height, 2 * width]);
  }

  poolTime(name: string, x: Value): Value {
    const shape = [...x.shape];
    shape[2]! /= 2;
    return this.#b.node('AveragePool', name, [x], shape, { kernel_shape: [2, 1, 1], strides: [2, 1, 1] });
  }

  gate(name: string, x: Value, kernel: Kernel, norm: Affine | undefined): Value {
    const b = this.#b;
    const mean = b.globalMean(`${name}.mean`, b.cast(`${name}.float`, x, ElementType.float32));
    const factors = b.cast(`${name}.factors.cast`, gateFactors(b, name, mean, kernel, norm), this.#type);
    if (!norm) return b.elementwise('Mul', name, [x, factors]);
    const gated = b.elementwise('Mul', `${name}.gated`, [x, factors]);
    return b.elementwise('Add', name, [gated, perChannel(b, `${name}.norm.shift`, norm.shift, x)]);
  }

  affine(name: string, x: Value, norm: Affine): Value {
    const b = this.#b;
    const scaled = b.elementwise('Mul', `${name}.scaled`, [x, perChannel(b, `${name}.norm.scale`, norm.scale, x)]);
    return b.elementwise('Add', name, [scaled, perChannel(b, `${name}.norm.shift`, norm.shift, x)]);
  }

  relu(name: string, x: Value): Value {
    return this.#b.elementwise('Relu', name, [x]);
  }

  leakyRelu(name: string, x: Value): Value {
    return leakyRelu(this.#b, name, x);
  }

  add(name: string, a: Value, c: Value): Value {
    return this.#b.elementwise('Add', name, [a, c]);
  }

  concat(name: string, a: Value, c: Value): Value {
    return this.#b.concat(name, [a, c], 1);
  }

  fuse(name: string, x: Value, kernel: Kernel): Value {
    const b = this.#b;
    const [batch, channels, time, height, width] = x.shape as [number, number, number, number, number];
    const flat = b.reshape(`${name}.steps`, x, [batch, channels * time, height, width]);
    // The steps lie within each channel here, the kernel's inputs step by step: its columns are put in this order instead.
    const weight = b.weight(`${kernel.name}.weight`, this.#type, kernel.shape, () =>
      swapColumns(kernel.weight(), time, channels),
    );
    const shape = [batch, kernel.shape[0]!, height, width];
    const fused = b.node('Conv', `${name}.conv`, [flat, weight, ...this.#bias(kernel)], shape);
    return leakyRelu(b, name, fused);
  }

  head(name: string, y: Value, kernel: Kernel): Value {
    return head(this.#b, name, y, kernel);
  }

  #weight(kernel: Kernel): Value {
    return this.#b.weight(`${kernel.name}.weight`, this.#type, kernel.shape, kernel.weight);
  }

  #bias(kernel: Kernel): Value[] {
    return bias(this.#b, kernel, this.#type);
  }
}

/** Rows of [outer][inner] columns, reordered to [inner][outer]. */
function swapColumns(weight: Float32Array, outer: number, inner: number): Float32Array {
  const swapped = new Float32Array(weight.length);
  const columns = outer * inner;
  for (let row = 0; row < weight.length; row += columns) {
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) swapped[row + i * outer + o] = weight[row + o * inner + i]!;
    }
  }
  return swapped;
}
