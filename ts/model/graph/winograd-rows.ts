import { ElementType, elementBytes } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import type { GraphBuilder, Value } from './builder.js';
import type { Kernel } from './weights.js';
import { matrixProduct, termBias, termsOf } from './winograd-terms.js';
import { BIASED_TERM, OF_KERNEL, OF_STEPS, OF_TERMS, TERMS, TILE } from './winograd-time.js';
import { pointShape, pointWeights } from './winograd-weights.js';

/**
 * Winograd's algorithm F(4, 3) along time and, nested in it, along the rows of each step: of a window of four, thirty-six
 * convolutions 1x3 on a quarter of the rows take the place of ten convolutions 3x3, three tenths of the multiply-adds.
 *
 * A stack [T, C, H, W] comes in and goes out. All sums along time are one product with a small matrix, and so are all sums
 * at the end. Those along the rows at the beginning, where tiles overlap, are convolutions of stride 4 of each channel by
 * itself, and the six terms along time are six groups of channels of six convolutions: few nodes, which all cores share.
 */
export class RowsWinograd {
  readonly #builder: GraphBuilder;
  readonly #fed: boolean;

  /** @param fed whether the weights are inputs of the graph. */
  constructor(builder: GraphBuilder, fed: boolean) {
    this.#builder = builder;
    this.#fed = fed;
  }

  /** @param slices of the kernel [out, in, 3, 3, 3] that meet the step before, the same and the step behind. */
  convolve(name: string, x: Value, kernel: Kernel, slices: readonly number[]): Value {
    const b = this.#builder;
    const [steps, , height, width] = x.shape as [number, number, number, number];
    const out = kernel.shape[0]!;
    const terms = termsOf(b, name, x);
    const products = this.#weights(kernel, slices).map((weight, point) => {
      const input = this.#point(`${name}.point${point}`, terms, point);
      const inputs = [input, weight, ...(point === BIASED_TERM ? termBias(b, kernel) : [])];
      return b.node('Conv', `${name}.product${point}`, inputs, input.shape.with(1, TERMS * out), {
        kernel_shape: [1, 3],
        pads: [0, 1, 0, 1],
        group: TERMS,
      });
    });
    const rows = products[0]!.shape[2]!;
    const joined = b.concat(`${name}.products`, products, 1);
    const all = b.reshape(`${name}.all`, joined, [steps / TILE, TERMS * TERMS, out * rows * width]);
    const tileRows = matrixProduct(b, `${name}.of-terms`, TERMS_MATRIX, all);
    const apart = b.reshape(`${name}.rows`, tileRows, [steps, TILE, (out * rows) / b.block, width * b.block]);
    const inOrder = b.transpose(`${name}.rows-in-order`, apart, [0, 2, 1, 3]);
    const whole = b.reshape(`${name}.whole`, inOrder, [steps, out, TILE * rows, width]);
    return b.crop(`${name}.stack`, whole, [[2, 0, height]]);
  }

  /** Of each point. */
  #weights(kernel: Kernel, slices: readonly number[]): Value[] {
    const { name, shape, weight } = kernel;
    const names = OF_KERNEL.map((_, point) => `${name}.winograd.point${point}`);
    if (this.#fed) {
      const bytes = names.length * elementCount(pointShape(shape)) * elementBytes(ElementType.float32);
      return this.#builder.feed({ name, shape, slices, weight, inputs: names, bytes }, pointShape(shape));
    }
    return names.map((named, point) =>
      this.#builder.weight(named, ElementType.float32, pointShape(shape), () =>
        pointWeights({ shape, slices }, weight(), point),
      ),
    );
  }

  /** What one point takes of the rows of every tile of four. */
  #point(name: string, x: Value, point: number): Value {
    const b = this.#builder;
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const factors = OF_STEPS[point]!;
    const first = factors.findIndex((factor) => factor !== 0);
    const last = factors.findLastIndex((factor) => factor !== 0);
    const dilation = factors[first + 1] === 0 ? 2 : 1;
    const taken = factors.filter((_, i) => i >= first && i <= last && (i - first) % dilation === 0);
    const kernel = this.#factors(`rows${point}[${channels}]`, channels, taken);
    const rows = Math.ceil(height / TILE);
    // The first factor is for the row before the tile.
    const before = 1 - first;
    const after = TILE * (rows - 1) + (last - first + 1) - before - height;
    return b.node('Conv', name, [x, kernel], [batch, channels, rows, width], {
      kernel_shape: [taken.length, 1],
      dilations: [dilation, 1],
      pads: [before, 0, after, 0],
      strides: [TILE, 1],
      group: channels,
    });
  }

  /** The same factors of rows for every channel: weights [C, 1, rows, 1]. */
  #factors(name: string, channels: number, rows: readonly number[]): Value {
    return this.#builder.weight(name, ElementType.float32, [channels, 1, rows.length, 1], () =>
      Float32Array.from({ length: channels * rows.length }, (_, i) => rows[i % rows.length]!),
    );
  }
}

/** Makes a tile's four rows of each of its four steps, of the six terms along time of each of the six along the rows. */
const TERMS_MATRIX = OF_TERMS.flatMap((ofStep) =>
  OF_TERMS.map((ofRow) => ofRow.flatMap((row) => ofStep.map((step) => row * step))),
);
