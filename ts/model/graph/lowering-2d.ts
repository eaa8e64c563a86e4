import { ElementType } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import type { GraphBuilder, Value } from './builder.js';
import { bias, gateFactors, head, leakyRelu, perChannel } from './layers.js';
import type { Lowering, Stride } from './network.js';
import type { Affine, Kernel } from './weights.js';

/** One activation [B, C, H, W] for each step of time. */
export type Steps = readonly Value[];

/** An input step of a convolution, and the index along time of the kernel's slice that it meets. */
interface Tap {
  readonly step: number;
  readonly slice: number;
}

/** Shape of a convolution's output [B, C, H, W] and the node's attributes. */
interface Form {
  readonly shape: readonly number[];
  readonly attributes: Readonly<Record<string, readonly number[]>>;
}

/** Copies one slice in time of a kernel's weights into those of a two-dimensional convolution. */
type Cut = (kernel: Kernel, slice: number, to: Float32Array) => void;

/** A convolution along time as two-dimensional ones. */
export interface TimeLayer {
  readonly kernel: Kernel;
  readonly cut: Cut;
  /** Shape of the weights that `cut` makes. */
  readonly weightShape: readonly number[];
  readonly form: Form;
  /** How many steps come out. */
  readonly steps: number;
  /** What output step t is the sum of, steps outside the window included. */
  readonly taps: (t: number) => readonly Tap[];
}

/**
 * Each output step is a sum of two-dimensional convolutions, one for each input step that the kernel reaches; slices of the
 * kernel that fall outside the window are skipped. The arithmetic is that of the three-dimensional form, but for the order
 * of its sums.
 *
 * Runtimes fuse the additions into the convolutions. One convolution over the joined channels of the input steps is no
 * faster, and needs the weights 7/3 times (the steps at both ends reach fewer inputs) and a copy of every activation.
 */
export class Lowering2d implements Lowering<Steps, Value> {
  protected readonly builder: GraphBuilder;
  protected readonly type: ElementType;

  /** @param type of activations and weights, but for the means and gates, which are float32. */
  constructor(builder: GraphBuilder, type: ElementType) {
    this.builder = builder;
    this.type = type;
  }

  /** The window from its frames, each [B, 3, H, W] of the lowering's element type. */
  window(frames: readonly Value[]): Steps {
    return frames;
  }

  conv(name: string, x: Steps, kernel: Kernel, stride: Stride): Steps {
    return [...this.alongTime(`${name}.`, x, this.convLayer(x[0]!.shape, x.length, kernel, stride))];
  }

  /** @param shape of each of the `inputs` steps that come in. */
  convLayer(shape: readonly number[], inputs: number, kernel: Kernel, stride: Stride): TimeLayer {
    const [out, channels, time, height, width] = kernel.shape as [number, number, number, number, number];
    const [batch, , ...size] = shape as [number, number, number, number];
    const pads = [(height - 1) / 2, (width - 1) / 2];
    return {
      kernel,
      cut: timeSlice,
      weightShape: [out, channels, height, width],
      form: {
        shape: [batch, out, ...size.map((side) => Math.ceil(side / stride.space))],
        attributes: { kernel_shape: [height, width], pads: [...pads, ...pads], strides: [stride.space, stride.space] },
      },
      steps: Math.ceil(inputs / stride.time),
      taps: (t) => range(time).map((slice) => ({ step: t * stride.time + slice - (time - 1) / 2, slice })),
    };
  }

  deconv(name: string, x: Steps, kernel: Kernel, timeStride: number): Steps {
    const layer = this.joinedPhases(x[0]!.shape, x.length, kernel, timeStride);
    return Array.from(this.alongTime(`${name}.phases.`, x, layer), (step, t) => this.spread(name, t, step));
  }

  /** A transposed convolution's phases together, in channels. */
  joinedPhases(inputShape: readonly number[], inputs: number, kernel: Kernel, timeStride: number): TimeLayer {
    const [channels, out, time] = kernel.shape as [number, number, number];
    const [batch, , height, width] = inputShape as [number, number, number, number];
    return {
      kernel: repeatBias(kernel, 4),
      cut: allPhases,
      weightShape: [4 * out, channels, 2, 2],
      // Position (i, j) of a 2x2 convolution sees inputs i-1 and i, and makes the output rows 2i-1 and 2i as phases in its
      // channels: one row and column too many on each side.
      form: {
        shape: [batch, 4 * out, height + 1, width + 1],
        attributes: { kernel_shape: [2, 2], pads: [1, 1, 1, 1] },
      },
      ...transposedTime(inputs, time, timeStride),
    };
  }

  /**
   * A transposed convolution's phases apart, each as large as what comes in, row phase first: rows (columns) that are even
   * see the one before and the same, odd ones the same and the one behind.
   */
  phaseLayers(shape: readonly number[], inputs: number, kernel: Kernel, timeStride: number): TimeLayer[] {
    const [channels, out, time] = kernel.shape as [number, number, number];
    const [batch, , height, width] = shape as [number, number, number, number];
    return PHASES.map(([row, column]) => ({
      kernel,
      cut: phaseSlice(1 - row, 1 - column),
      weightShape: [out, channels, 2, 2],
      form: {
        shape: [batch, out, height, width],
        attributes: { kernel_shape: [2, 2], pads: [1 - row, 1 - column, row, column] },
      },
      ...transposedTime(inputs, time, timeStride),
    }));
  }

  /** The phases [B, 4C, H+1, W+1] that a deconvolution makes of one step, as that step, [B, C, 2H, 2W]. */
  spread(name: string, t: number, phases: Value): Value {
    const b = this.builder;
    const [batch, channels, height, width] = phases.shape as [number, number, number, number];
    const shape = [batch, channels / 4, 2 * height, 2 * width];
    const spread = b.node('DepthToSpace', `${name}.spread.t${t}`, [phases], shape, { blocksize: 2 });
    return b.crop(`${name}.t${t}`, spread, [
      [2, 1, 2 * height - 1],
      [3, 1, 2 * width - 1],
    ]);
  }

  upsample(name: string, x: Steps, time: number): Steps {
    const b = this.builder;
    const wide = x.map((step, t) => b.resize(`${name}.space.t${t}`, step, [2, 2]));
    if (time === 1) return wide;
    const near = b.scalar('three-quarters', 0.75, this.type);
    const far = b.scalar('quarter', 0.25, this.type);
    const scaled = wide.map((step, t) => ({
      near: b.elementwise('Mul', `${name}.near.t${t}`, [step, near]),
      far: b.elementwise('Mul', `${name}.far.t${t}`, [step, far]),
    }));
    return range(2 * x.length).map((t) => {
      const step = t >> 1;
      const neighbour = Math.min(Math.max(t % 2 === 0 ? step - 1 : step + 1, 0), x.length - 1);
      return b.elementwise('Add', `${name}.t${t}`, [scaled[step]!.near, scaled[neighbour]!.far]);
    });
  }

  poolTime(name: string, x: Steps): Steps {
    const b = this.builder;
    const half = b.scalar('half', 0.5, this.type);
    return range(x.length / 2).map((t) => {
      const sum = b.elementwise('Add', `${name}.sum.t${t}`, [x[2 * t]!, x[2 * t + 1]!]);
      return b.elementwise('Mul', `${name}.t${t}`, [sum, half]);
    });
  }

  gate(name: string, x: Steps, kernel: Kernel, norm: Affine | undefined): Steps {
    const b = this.builder;
    const means = x.map((step, t) =>
      b.globalMean(`${name}.mean.t${t}`, b.cast(`${name}.float.t${t}`, step, ElementType.float32)),
    );
    const mean = means.length === 1 ? means[0]! : b.elementwise('Mean', `${name}.mean`, means);
    const factors = b.cast(`${name}.factors.cast`, gateFactors(b, name, mean, kernel, norm), this.type);
    return this.scale(name, x, factors, norm);
  }

  affine(name: string, x: Steps, norm: Affine): Steps {
    const b = this.builder;
    const scale = perChannel(b, `${name}.norm.scale`, norm.scale, x[0]!);
    return this.scale(name, x, scale, norm);
  }

  relu(name: string, x: Steps): Steps {
    return x.map((step, t) => this.builder.elementwise('Relu', `${name}.t${t}`, [step]));
  }

  leakyRelu(name: string, x: Steps): Steps {
    return x.map((step, t) => leakyRelu(this.builder, `${name}.t${t}`, step));
  }

  add(name: string, a: Steps, c: Steps): Steps {
    return a.map((step, t) => this.builder.elementwise('Add', `${name}.t${t}`, [step, c[t]!]));
  }

  concat(name: string, a: Steps, c: Steps): Steps {
    return a.map((step, t) => this.builder.concat(`${name}.t${t}`, [step, c[t]!], 1));
  }

  fuse(name: string, x: Steps, kernel: Kernel): Value {
    const b = this.builder;
    const [out] = kernel.shape as [number];
    const [batch, channels, ...size] = x[0]!.shape as [number, number, number, number];
    const weights = (step: number) => this.#slice(kernel, step, [out, channels, 1, 1], columnSlice);
    const taps = x.map((_, step) => ({ step, slice: step }));
    const biases = bias(b, kernel, this.type);
    const form: Form = { shape: [batch, out, ...size], attributes: { kernel_shape: [1, 1] } };
    return leakyRelu(b, name, this.#sum(`${name}.conv`, x, taps, weights, biases, form));
  }

  head(name: string, y: Value, kernel: Kernel): Value {
    return head(this.builder, name, y, kernel);
  }

  /** The steps of a layer along time, each called `name` and then `t0`, `t1` …, made as they are asked for. */
  protected *alongTime(
    name: string,
    x: Steps,
    { kernel, cut, weightShape, form, steps, taps }: TimeLayer,
  ): Iterable<Value> {
    const biases = bias(this.builder, kernel, this.type);
    const weights = (slice: number) => this.#slice(kernel, slice, weightShape, cut);
    for (let t = 0; t < steps; t++) yield this.#sum(`${name}t${t}`, x, taps(t), weights, biases, form);
  }

  /** Each channel times its factor, plus the norm's shift where there is one. */
  protected scale(name: string, x: Steps, factors: Value, norm: Affine | undefined): Steps {
    const b = this.builder;
    if (!norm) return x.map((step, t) => b.elementwise('Mul', `${name}.t${t}`, [step, factors]));
    const shift = perChannel(b, `${name}.norm.shift`, norm.shift, x[0]!);
    return x.map((step, t) => {
      const scaled = b.elementwise('Mul', `${name}.scaled.t${t}`, [step, factors]);
      return b.elementwise('Add', `${name}.t${t}`, [scaled, shift]);
    });
  }

  /** The sum over those taps that meet a step of the window. */
  #sum(
    name: string,
    x: Steps,
    taps: readonly Tap[],
    weights: (slice: number) => Value,
    biases: readonly Value[],
    { shape, attributes }: Form,
  ): Value {
    const b = this.builder;
    const met = taps.flatMap(({ step, slice }) => (x[step] ? [{ input: x[step], slice }] : []));
    return met.reduce<Value | undefined>((sum, { input, slice }, i) => {
      const made = (suffix: string) => (i === met.length - 1 ? name : `${name}.${suffix}${slice}`);
      const inputs = [input, weights(slice), ...(sum ? [] : biases)];
      const term = b.node('Conv', sum ? `${name}.term${slice}` : made('term'), inputs, shape, attributes);
      return sum ? b.elementwise('Add', made('sum'), [sum, term]) : term;
    }, undefined)!;
  }

  #slice(kernel: Kernel, slice: number, shape: readonly number[], cut: Cut): Value {
    return this.builder.weight(`${kernel.name}.weight[${slice}]`, this.type, shape, () => {
      const to = new Float32Array(elementCount(shape));
      cut(kernel, slice, to);
      return to;
    });
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** [out, in, time, height, width] at one index of time. */
function timeSlice({ shape, weight }: Kernel, slice: number, to: Float32Array): void {
  const [, , time, height, width] = shape as [number, number, number, number, number];
  const from = weight();
  const area = height * width;
  for (let at = 0, start = slice * area; at < to.length; at += area, start += time * area) {
    to.set(from.subarray(start, start + area), at);
  }
}

/** [out, steps * in, 1, 1] at the columns of one step. */
function columnSlice({ shape, weight }: Kernel, step: number, to: Float32Array): void {
  const [out, columns] = shape as [number, number];
  const from = weight();
  const channels = to.length / out;
  for (let row = 0; row < out; row++) {
    const start = row * columns + step * channels;
    to.set(from.subarray(start, start + channels), row * channels);
  }
}

/** Rows and columns of a deconvolution's phases. */
const PHASES = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;

/** Steps of a deconvolution, and what each is the sum of. */
const transposedTime = (inputs: number, time: number, stride: number): Pick<TimeLayer, 'steps' | 'taps'> => ({
  steps: inputs * stride,
  taps: (t) => range(time).map((slice) => ({ step: (t + 1 - slice) / stride, slice })),
});

/**
 * [in, out, time, 4, 4] of a transposed convolution, at one index of time, as the [out, in, 2, 2] that makes one of its
 * phases. Phase r of output row 2i-1+r meets input i through the kernel's row r, input i-1 through r+2.
 */
const phaseSlice =
  (row: number, column: number): Cut =>
  ({ shape, weight }, slice, to) => {
    const [channels, out, time] = shape as [number, number, number];
    const from = weight();
    const first = row * 4 + column;
    for (let o = 0, at = 0; o < out; o++) {
      for (let c = 0; c < channels; c++, at += 4) {
        const plane = ((c * out + o) * time + slice) * 16 + first;
        to[at] = from[plane + 10]!;
        to[at + 1] = from[plane + 8]!;
        to[at + 2] = from[plane + 2]!;
        to[at + 3] = from[plane]!;
      }
    }
  };

/** All four, one after another, row phase first. */
function allPhases(kernel: Kernel, slice: number, to: Float32Array): void {
  const length = to.length / PHASES.length;
  PHASES.forEach(([row, column], i) => {
    phaseSlice(row, column)(kernel, slice, to.subarray(i * length, (i + 1) * length));
  });
}

function repeatBias(kernel: Kernel, times: number): Kernel {
  const { bias: values } = kernel;
  if (!values) return kernel;
  const repeated = new Float32Array(values.length * times);
  for (let i = 0; i < times; i++) repeated.set(values, i * values.length);
  return { ...kernel, bias: repeated };
}
