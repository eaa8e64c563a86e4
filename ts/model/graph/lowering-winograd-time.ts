import { elementCount } from '../shape.js';
import type { Value } from './builder.js';
import { bias } from './layers.js';
import { Lowering2d, type Steps, type TimeLayer } from './lowering-2d.js';
import type { Affine } from './weights.js';
import { BIASED_TERM, BLOCK, fitsTiles, OF_KERNEL, slicesInOrder, TILE } from './winograd-time.js';

/**
 * The 2d lowering with Winograd's algorithm F(4, 3) along time: where a kernel of three slices meets four steps and what is
 * beside them, six convolutions of sums of the steps take the place of twelve (ten, of a window that ends there). It is
 * exact but for rounding, of which a layer has about three times the direct form's (and the network's output no more than
 * before): the factors of steps are small whole numbers and quarters, and the kernels' are computed in double precision.
 *
 * Made for ONNX Runtime on the CPU, which keeps activations in blocks of channels from one convolution to the next, adds
 * and clips within a convolution, and leaves the blocks for any other product or difference. A step times a number is
 * therefore a 1x1 convolution of each channel by itself; times 1 where a gate has left the blocks.
 */
export class LoweringWinogradTime extends Lowering2d {
  protected override *alongTime(name: string, x: Steps, layer: TimeLayer): Iterable<Value> {
    if (!fitsTiles(layer, x.length)) {
      yield* super.alongTime(name, x, layer);
      return;
    }
    const weights = this.#weights(layer);
    for (let t = 0; t < x.length; t += TILE) yield* this.#tile(name, x, t, layer, weights);
  }

  protected override scale(name: string, x: Steps, factors: Value, norm: Affine | undefined): Steps {
    const channels = x[0]!.shape[1]!;
    const b = this.builder;
    if (channels % BLOCK !== 0 || b.block > 1) return super.scale(name, x, factors, norm);
    const shift = norm ? [b.weight(`${name}.norm.shift`, this.type, [channels], () => norm.shift)] : [];
    return x.map((step, t) => {
      const scaled = b.elementwise('Mul', `${name}.scaled.t${t}`, [step, factors]);
      return this.#times(`${name}.t${t}`, 1, scaled, shift);
    });
  }

  /** The four phases come in turns along each row, then the rows do: in a third of the time of a DepthToSpace. */
  override spread(name: string, t: number, x: Value): Value {
    const b = this.builder;
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const out = channels / 4;
    // A block may hold channels of several phases.
    const phases = out % b.block === 0 ? x : b.ordered(x);
    const block = phases.block ?? 1;
    const positions = (out * height * width) / block;
    const columns = b.reshape(`${name}.columns.t${t}`, phases, [2 * batch, 2, positions, block]);
    const inTurns = b.transpose(`${name}.in-turns.t${t}`, columns, [0, 2, 1, 3]);
    const rows = b.reshape(`${name}.rows.t${t}`, inTurns, [batch, 2, (out * height) / block, 2 * width * block]);
    const inOrder = b.transpose(`${name}.in-order.t${t}`, rows, [0, 2, 1, 3]);
    const whole = b.reshape(`${name}.whole.t${t}`, inOrder, [batch, out, 2 * height, 2 * width]);
    return b.crop(`${name}.t${t}`, whole, [
      [2, 1, 2 * height - 1],
      [3, 1, 2 * width - 1],
    ]);
  }

  /** Output steps `first` to `first + 3`. */
  *#tile(name: string, x: Steps, first: number, layer: TimeLayer, weights: readonly Value[]): Iterable<Value> {
    const b = this.builder;
    const { shape, attributes } = layer.form;
    const at = (what: string) => `${name}${what}.t${first}`;
    const made = (t: number) => `${name}t${first + t}`;
    const [before, d1, d2, d3, d4, after] = [-1, 0, 1, 2, 3, 4].map((t) => x[first + t]) as [
      Value | undefined,
      Value,
      Value,
      Value,
      Value,
      Value | undefined,
    ];
    const convolve = (i: number, input: Value) =>
      b.node(
        'Conv',
        at(`term${i}`),
        [input, weights[i]!, ...(i === BIASED_TERM ? bias(b, layer.kernel, this.type) : [])],
        shape,
        attributes,
      );

    const even1 = this.#plus(at('even1'), d4, -4, d2);
    const odd1 = this.#plus(at('odd1'), d3, -4, d1);
    // The bias belongs to each output once, as the first of the two terms below.
    const one = convolve(1, this.#plus(at('one'), even1, 1, odd1));
    const minusOne = convolve(2, this.#plus(at('minus-one'), even1, -1, odd1));
    const even2 = this.#plus(at('even2'), d4, -1, d2);
    const odd2 = this.#plus(at('odd2'), d3, -1, d1);
    const two = convolve(3, this.#plus(at('two'), even2, 2, odd2));
    const minusTwo = convolve(4, this.#plus(at('minus-two'), even2, -2, odd2));

    const sum1 = this.#plus(at('sum1'), one, 1, minusOne);
    const sum2 = this.#plus(at('sum2'), two, 1, minusTwo);
    const zero = this.#plus(at('zero'), this.#plus(at('zero.inner'), d4, -5, d2), 4, before);
    yield this.#plus(made(0), this.#plus(at('sum'), sum1, 1, sum2), 1, convolve(0, zero));
    const difference1 = this.#plus(at('difference1'), one, -1, minusOne);
    const difference2 = this.#plus(at('difference2'), two, -1, minusTwo);
    yield this.#plus(made(1), difference1, 2, difference2);
    yield this.#plus(made(2), sum1, 4, sum2);
    const infinity = this.#plus(at('infinity'), this.#plus(at('infinity.inner'), d1, -5 / 4, d3), 1 / 4, after);
    yield this.#plus(made(3), this.#plus(at('difference'), difference1, 8, difference2), 1, convolve(5, infinity));
  }

  /** x + factor * y; x itself where there is no y. */
  #plus(name: string, x: Value, factor: number, y: Value | undefined): Value {
    if (!y) return x;
    const product = factor === 1 ? y : this.#times(`${name}.product`, factor, y);
    return this.builder.elementwise('Add', name, [x, product]);
  }

  /** Every channel times the factor, plus its own shift. */
  #times(name: string, factor: number, x: Value, shift: readonly Value[] = []): Value {
    const b = this.builder;
    const channels = x.shape[1]!;
    const factors = b.weight(`times${factor}[${channels}]`, this.type, [channels, 1, 1, 1], () =>
      new Float32Array(channels).fill(factor),
    );
    return b.node('Conv', name, [x, factors, ...shift], x.shape, { kernel_shape: [1, 1], group: channels });
  }

  /** The six convolutions' weights. */
  #weights(layer: TimeLayer): Value[] {
    // Held while the six are written, which is one after another.
    let slices: Slices | undefined;
    return OF_KERNEL.map((factors, i) =>
      this.builder.weight(`${layer.kernel.name}.winograd[${i}]`, this.type, layer.weightShape, () => {
        slices ??= cutSlices(layer);
        const sum = sumOfSlices(slices, factors);
        if (i === OF_KERNEL.length - 1) slices = undefined;
        return sum;
      }),
    );
  }
}

type Slices = readonly [Float32Array, Float32Array, Float32Array];

/** A layer's weights for the step before, the same and the step behind. */
export function cutSlices(layer: TimeLayer): Slices {
  const { kernel, cut, weightShape } = layer;
  return slicesInOrder(layer).map((slice) => {
    const to = new Float32Array(elementCount(weightShape));
    cut(kernel, slice, to);
    return to;
  }) as [Float32Array, Float32Array, Float32Array];
}

/** What a term takes of them. */
export function sumOfSlices(
  [before, same, behind]: Slices,
  [ofBefore, ofSame, ofBehind]: (typeof OF_KERNEL)[number],
): Float32Array {
  const sum = new Float32Array(before.length);
  for (let j = 0; j < sum.length; j++) sum[j] = ofBefore * before[j]! + ofSame * same[j]! + ofBehind * behind[j]!;
  return sum;
}
