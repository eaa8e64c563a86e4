import { ElementType } from '../onnx/proto.js';
import type { GraphBuilder, Value } from './builder.js';
import { bias, gateFactors, head, leakyRelu, perChannel } from './layers.js';
import type { Lowering, Stride } from './network.js';
import type { Affine, Kernel } from './weights.js';

/**
 * One activation [B, C, H, W] for each step of time; a step may be several tensors side by side in channels, so that what a
 * convolution reads is concatenated once.
 */
type Steps = readonly (readonly Value[])[];

/** An input step of a convolution, and the index along time of the kernel's slice that it meets. */
interface Tap {
  readonly step: number;
  readonly slice: number;
}

/**
 * Each output step is a two-dimensional convolution over the channels of the input steps that its kernel reaches; slices of
 * the kernel that fall outside the window are skipped. The arithmetic is that of the three-dimensional form, exactly.
 */
export class Lowering2d implements Lowering<Steps, Value> {
  readonly #b: GraphBuilder;
  readonly #type: ElementType;

  /** @param type of activations and weights, but for the means and gates, which are float32. */
  constructor(builder: GraphBuilder, type: ElementType) {
    this.#b = builder;
    this.#type = type;
  }

  /** The window from its frames, each [B, 3, H, W] of the lowering's element type. */
  window(frames: readonly Value[]): Steps {
    return frames.map((frame) => [frame]);
  }

  conv(name: string, x: Steps, kernel: Kernel, stride: Stride): Steps {
    const [out, , time, height, width] = kernel.shape as [number, number, number, number, number];
    const pad = (time - 1) / 2;
    const steps = Math.ceil(x.length / stride.time);
    return range(steps).map((t) => {
      const reached = range(time).map((slice) => ({ step: t * stride.time + slice - pad, slice }));
      const taps = reached.filter(({ step }) => step >= 0 && step < x.length);
      const input = this.#gather(`${name}.t${t}.in`, x, taps);
      const weight = this.#slices(kernel, taps, [out, input.shape[1]!, height, width], forwardSlices);
      const sizes = input.shape.slice(2).map((size) => Math.ceil(size / stride.space));
      const pads = [(height - 1) / 2, (width - 1) / 2];
      const y = this.#b.node(
        'Conv',
        `${name}.t${t}`,
        [input, weight, ...this.#bias(kernel)],
        [input.shape[0]!, out, ...sizes],
        {
          kernel_shape: [height, width],
          pads: [...pads, ...pads],
          strides: [stride.space, stride.space],
        },
      );
      return [y];
    });
  }

  deconv(name: string, x: Steps, kernel: Kernel, timeStride: number): Steps {
    const b = this.#b;
    const [, out, time] = kernel.shape as [number, number, number];
    const phaseBias = kernel.bias;
    return range(x.length * timeStride).map((t) => {
      const reached = range(time).map((slice) => ({ step: (t + 1 - slice) / timeStride, slice }));
      const taps = reached.filter(({ step }) => Number.isInteger(step) && step >= 0 && step < x.length);
      const input = this.#gather(`${name}.t${t}.in`, x, taps);
      const [batch, channels, height, width] = input.shape as [number, number, number, number];
      const weight = this.#slices(kernel, taps, [4 * out, channels, 2, 2], phaseSlices);
      const biases = phaseBias
        ? [b.weight(`${kernel.name}.bias`, this.#type, [4 * out], () => repeated(phaseBias, 4))]
        : [];
      // Position (i, j) of the 2x2 convolution sees inputs i-1 and i, and makes the output rows 2i-1 and 2i: one row and
      // column too many on each side.
      const shape = [batch, 4 * out, height + 1, width + 1];
      const phases = b.node('Conv', `${name}.t${t}.phases`, [input, weight, ...biases], shape, {
        kernel_shape: [2, 2],
        pads: [1, 1, 1, 1],
      });
      const spread = b.node(
        'DepthToSpace',
        `${name}.t${t}.spread`,
        [phases],
        [batch, out, 2 * height + 2, 2 * width + 2],
        { blocksize: 2 },
      );
      const y = b.crop(`${name}.t${t}`, spread, [
        [2, 1, 2 * height + 1],
        [3, 1, 2 * width + 1],
      ]);
      return [y];
    });
  }

  upsample(name: string, x: Steps, time: number): Steps {
    const b = this.#b;
    const wide = x.map((_, t) => b.resize(`${name}.space.t${t}`, this.#one(x, t), [2, 2]));
    if (time === 1) return wide.map((value) => [value]);
    const near = b.scalar('three-quarters', 0.75, this.#type);
    const far = b.scalar('quarter', 0.25, this.#type);
    const scaled = wide.map((value, t) => ({
      near: b.elementwise('Mul', `${name}.near.t${t}`, [value, near]),
      far: b.elementwise('Mul', `${name}.far.t${t}`, [value, far]),
    }));
    return range(2 * x.length).map((t) => {
      const step = t >> 1;
      const neighbour = Math.min(Math.max(t % 2 === 0 ? step - 1 : step + 1, 0), x.length - 1);
      return [b.elementwise('Add', `${name}.t${t}`, [scaled[step]!.near, scaled[neighbour]!.far])];
    });
  }

  poolTime(name: string, x: Steps): Steps {
    const b = this.#b;
    const half = b.scalar('half', 0.5, this.#type);
    return range(x.length / 2).map((t) => {
      const sum = b.elementwise('Add', `${name}.sum.t${t}`, [this.#one(x, 2 * t), this.#one(x, 2 * t + 1)]);
      return [b.elementwise('Mul', `${name}.t${t}`, [sum, half])];
    });
  }

  gate(name: string, x: Steps, kernel: Kernel, norm: Affine | undefined): Steps {
    const b = this.#b;
    const means = x.map((_, t) =>
      b.globalMean(`${name}.mean.t${t}`, b.cast(`${name}.float.t${t}`, this.#one(x, t), ElementType.float32)),
    );
    const mean = means.length === 1 ? means[0]! : b.elementwise('Mean', `${name}.mean`, means);
    let factors = gateFactors(b, name, mean, kernel);
    if (norm) {
      const scale = perChannel(b, `${name}.norm.scale`, norm.scale, factors);
      factors = b.elementwise('Mul', `${name}.scaled`, [factors, scale]);
    }
    const gate = b.cast(`${name}.factors.cast`, factors, this.#type);
    return this.#each(norm ? `${name}.gated` : name, x, (step, value) => {
      const gated = b.elementwise('Mul', step, [value, gate]);
      if (!norm) return gated;
      return b.elementwise('Add', `${step}.shifted`, [gated, perChannel(b, `${name}.norm.shift`, norm.shift, value)]);
    });
  }

  affine(name: string, x: Steps, norm: Affine): Steps {
    const b = this.#b;
    return this.#each(name, x, (step, value) => {
      const scale = perChannel(b, `${name}.norm.scale`, norm.scale, value);
      const scaled = b.elementwise('Mul', `${step}.scaled`, [value, scale]);
      return b.elementwise('Add', step, [scaled, perChannel(b, `${name}.norm.shift`, norm.shift, value)]);
    });
  }

  relu(name: string, x: Steps): Steps {
    return this.#each(name, x, (step, value) => this.#b.elementwise('Relu', step, [value]));
  }

  leakyRelu(name: string, x: Steps): Steps {
    return this.#each(name, x, (step, value) => leakyRelu(this.#b, step, value));
  }

  add(name: string, a: Steps, c: Steps): Steps {
    return this.#each(name, a, (step, value, t) => this.#b.elementwise('Add', step, [value, this.#one(c, t)]));
  }

  concat(_name: string, a: Steps, c: Steps): Steps {
    return a.map((parts, t) => [...parts, ...c[t]!]);
  }

  fuse(name: string, x: Steps, kernel: Kernel): Value {
    const b = this.#b;
    const all = b.concat(`${name}.steps`, x.flat(), 1);
    const weight = b.weight(`${kernel.name}.weight`, this.#type, kernel.shape, kernel.weight);
    const shape = [all.shape[0]!, kernel.shape[0]!, ...all.shape.slice(2)];
    return leakyRelu(b, name, b.node('Conv', `${name}.conv`, [all, weight, ...this.#bias(kernel)], shape));
  }

  head(name: string, y: Value, kernel: Kernel): Value {
    return head(this.#b, name, y, kernel);
  }

  #each(name: string, x: Steps, make: (name: string, value: Value, step: number) => Value): Steps {
    return x.map((_, t) => [make(`${name}.t${t}`, this.#one(x, t), t)]);
  }

  #one(x: Steps, step: number): Value {
    const [value, ...more] = x[step]!;
    if (value === undefined || more.length > 0) throw new Error('only a convolution reads joined channels');
    return value;
  }

  #gather(name: string, x: Steps, taps: readonly Tap[]): Value {
    return this.#b.concat(
      name,
      taps.flatMap(({ step }) => x[step]!),
      1,
    );
  }

  #slices(
    kernel: Kernel,
    taps: readonly Tap[],
    shape: readonly number[],
    make: (kernel: Kernel, slices: readonly number[]) => Float32Array,
  ): Value {
    const slices = taps.map(({ slice }) => slice);
    return this.#b.weight(`${kernel.name}.weight[${slices}]`, this.#type, shape, () => make(kernel, slices));
  }

  #bias(kernel: Kernel): Value[] {
    return bias(this.#b, kernel, this.#type);
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** [out, in, time, …] to [out, slices of time side by side in `in`, …]. */
function forwardSlices({ shape, weight }: Kernel, slices: readonly number[]): Float32Array {
  const [out, channels, time, height, width] = shape as [number, number, number, number, number];
  const from = weight();
  const area = height * width;
  const to = new Float32Array(out * slices.length * channels * area);
  let at = 0;
  for (let o = 0; o < out; o++) {
    for (const slice of slices) {
      for (let c = 0; c < channels; c++) {
        const start = ((o * channels + c) * time + slice) * area;
        to.set(from.subarray(start, start + area), at);
        at += area;
      }
    }
  }
  return to;
}

/**
 * [in, out, time, 4, 4] of a transposed convolution to the [4 * out, slices * in, 2, 2] of the convolution that makes its
 * four phases, row phase first. Phase r of output row 2i-1+r meets input i through the kernel's row r, input i-1 through r+2.
 */
function phaseSlices({ shape, weight }: Kernel, slices: readonly number[]): Float32Array {
  const [channels, out, time] = shape as [number, number, number];
  const from = weight();
  const to = new Float32Array(4 * out * slices.length * channels * 4);
  let at = 0;
  for (let phase = 0; phase < 4; phase++) {
    const [row, column] = [phase >> 1, phase & 1];
    for (let o = 0; o < out; o++) {
      for (const slice of slices) {
        for (let c = 0; c < channels; c++) {
          const plane = ((c * out + o) * time + slice) * 16;
          for (const y of [row + 2, row]) {
            to[at++] = from[plane + y * 4 + column + 2]!;
            to[at++] = from[plane + y * 4 + column]!;
          }
        }
      }
    }
  }
  return to;
}

function repeated(values: Float32Array, times: number): Float32Array {
  const all = new Float32Array(values.length * times);
  for (let i = 0; i < times; i++) all.set(values, i * values.length);
  return all;
}
