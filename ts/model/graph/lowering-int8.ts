import type { Range } from '../calibration.js';
import { ElementType } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import type { GraphBuilder, Value } from './builder.js';
import { bias } from './layers.js';
import { Lowering2d, type Steps, type TimeLayer } from './lowering-2d.js';
import type { Affine, Kernel } from './weights.js';

/** The range of each activation that is quantised. */
export type Ranges = (activation: string) => Range;

// The first convolution has three channels, and is slower in int8. Neither the fusion nor the head is a sum along time, and
// what they would lose is seen in the frame.
const FLOAT_LAYER = 'encoder.stem.0';

const LEVELS = 255;
// Seven bits: processors without VNNI add pairs of products u8 * s8 in 16 bits, and saturate from the eighth on.
const MOST_WEIGHT = 63;

/**
 * The 2d lowering with int8 convolutions, as quantise/dequantise pairs that a runtime folds into them: activations uint8
 * with one scale and zero point over all steps, weights int8 with one scale for each output channel. Everything between
 * convolutions is float32.
 *
 * Unlike there, a convolution takes the joined channels of its input steps: its sum is then whole in int32, where a sum of
 * several would be rounded to eight bits each.
 */
export class LoweringInt8 extends Lowering2d {
  /** The activations quantised so far, each with its values. */
  readonly quantised = new Map<string, string[]>();
  readonly #ranges: Ranges;
  /** Outputs of int8 convolutions: what reads them in float32 must quantise them first, or nothing is folded. */
  readonly #sums = new Set<Value>();
  readonly #bytes = new Map<Value, Value>();
  readonly #weightsOf = new Map<string, Value>();

  constructor(builder: GraphBuilder, ranges: Ranges) {
    super(builder, ElementType.float32);
    this.#ranges = ranges;
  }

  override upsample(name: string, x: Steps, time: number): Steps {
    return super.upsample(name, this.#floats(x), time);
  }

  override gate(name: string, x: Steps, kernel: Kernel, norm: Affine | undefined): Steps {
    return super.gate(name, this.#floats(x), kernel, norm);
  }

  override affine(name: string, x: Steps, norm: Affine): Steps {
    return super.affine(name, this.#floats(x), norm);
  }

  override leakyRelu(name: string, x: Steps): Steps {
    return super.leakyRelu(name, this.#floats(x));
  }

  override add(name: string, a: Steps, c: Steps): Steps {
    return super.add(name, this.#floats(a), this.#floats(c));
  }

  /** As bytes: only convolutions read it. */
  override concat(name: string, a: Steps, c: Steps): Steps {
    const part = (step: Value, made: string) => this.#quantise(made, step, name);
    return a.map((step, t) =>
      this.builder.concat(`${name}.t${t}`, [part(step, `${name}.up.t${t}`), part(c[t]!, `${name}.across.t${t}`)], 1),
    );
  }

  protected override *alongTime(name: string, x: Steps, layer: TimeLayer): Iterable<Value> {
    if (layer.kernel.name === FLOAT_LAYER) {
      yield* super.alongTime(name, x, layer);
      return;
    }
    const b = this.builder;
    const { kernel, form, steps, taps } = layer;
    const biases = bias(b, kernel, this.type);
    for (let t = 0; t < steps; t++) {
      const made = `${name}t${t}`;
      const met = taps(t).flatMap(({ step, slice }) => (x[step] ? [{ input: x[step], slice }] : []));
      const bytes = met.map(({ input }) => this.#bytesOf(input));
      const joined = this.#dequantise(
        `${made}.input`,
        b.concat(`${made}.steps`, bytes, 1),
        activationOf(met[0]!.input),
      );
      const slices = met.map(({ slice }) => slice);
      const inputs = [joined, this.#weights(layer, slices), ...biases];
      const sum = b.node('Conv', made, inputs, form.shape, form.attributes);
      this.#sums.add(sum);
      yield sum;
    }
  }

  /** As bytes, of which moving costs a quarter. */
  override spread(name: string, t: number, phases: Value): Value {
    return super.spread(name, t, this.#quantise(`${name}.bytes.t${t}`, phases, name));
  }

  #floats(x: Steps): Steps {
    return x.map((value) => {
      if (value.type !== ElementType.uint8 && !this.#sums.has(value)) return value;
      return this.#dequantise(`${value.name}.float`, this.#bytesOf(value), activationOf(value));
    });
  }

  #bytesOf(value: Value): Value {
    if (value.type === ElementType.uint8) return value;
    const known = this.#bytes.get(value);
    if (known) return known;
    const bytes = this.#quantise(`${value.name}.bytes`, value, activationOf(value));
    this.#bytes.set(value, bytes);
    return bytes;
  }

  #quantise(name: string, x: Value, activation: string): Value {
    const values = this.quantised.get(activation) ?? [];
    this.quantised.set(activation, [...values, x.name]);
    return this.builder.node('QuantizeLinear', name, [x, ...this.#step(activation)], x.shape, {}, ElementType.uint8);
  }

  #dequantise(name: string, x: Value, activation: string): Value {
    return this.builder.node(
      'DequantizeLinear',
      name,
      [x, ...this.#step(activation)],
      x.shape,
      {},
      ElementType.float32,
    );
  }

  /** Scale and zero point. */
  #step(activation: string): [Value, Value] {
    const { min, max } = this.#ranges(activation);
    // An activation that is always zero has some scale all the same.
    const scale = Math.fround((max - min) / LEVELS) || 1;
    const zero = () => Uint8Array.of(Math.min(Math.round(-min / scale), LEVELS));
    return [
      this.builder.scalar(`${activation}.scale`, scale),
      this.builder.bytes(`${activation}.zero`, ElementType.uint8, [], zero),
    ];
  }

  /** Several slices of a kernel side by side along the input channels. */
  #weights({ kernel, cut, weightShape }: TimeLayer, slices: readonly number[]): Value {
    const name = `${kernel.name}.weight[${slices}]`;
    const known = this.#weightsOf.get(name);
    if (known) return known;
    const b = this.builder;
    const [out, channels, ...size] = weightShape as [number, number, number, number];
    const shape = [out, channels * slices.length, ...size];
    const rows = () => {
      const parts = slices.map((slice) => {
        const part = new Float32Array(elementCount(weightShape));
        cut(kernel, slice, part);
        return part;
      });
      return joinRows(out, parts);
    };
    const constants = [
      b.bytes(name, ElementType.int8, shape, () => quantiseRows(rows(), out)),
      b.weight(`${name}.scales`, ElementType.float32, [out], () => rowScales(rows(), out)),
      b.bytes(`${name}.zeros`, ElementType.int8, [out], () => new Int8Array(out)),
    ];
    const weights = b.node('DequantizeLinear', `${name}.float`, constants, shape, { axis: 0 }, ElementType.float32);
    this.#weightsOf.set(name, weights);
    return weights;
  }
}

/** An activation is called as its steps, without the step. */
const activationOf = ({ name }: Value): string => name.replace(/\.t\d+$/, '');

/** Matrices of as many rows, side by side. */
function joinRows(count: number, parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (let row = 0; row < count; row++) {
    for (const part of parts) {
      const width = part.length / count;
      joined.set(part.subarray(row * width, (row + 1) * width), at);
      at += width;
    }
  }
  return joined;
}

function rowScales(rows: Float32Array, count: number): Float32Array {
  const width = rows.length / count;
  return Float32Array.from({ length: count }, (_, row) => {
    let most = 0;
    for (let i = row * width; i < (row + 1) * width; i++) most = Math.max(most, Math.abs(rows[i]!));
    // A row of zeros has some scale all the same.
    return most / MOST_WEIGHT || 1;
  });
}

function quantiseRows(rows: Float32Array, count: number): Int8Array {
  const width = rows.length / count;
  const scales = rowScales(rows, count);
  const quantised = new Int8Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const value = Math.round(rows[i]! / scales[Math.floor(i / width)]!);
    quantised[i] = Math.max(-MOST_WEIGHT, Math.min(MOST_WEIGHT, value));
  }
  return quantised;
}
