import { ElementType, elementBytes } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import { Activation } from './activation.js';
import type { GraphBuilder, Value } from './builder.js';
import type { Kernel } from './weights.js';
import { matrixProduct, termBias } from './winograd-terms.js';
import { BIASED_TERM, OF_STEPS, OF_TERMS, stepsMatrix, TERMS, TILE } from './winograd-time.js';
import { rowsShape, rowsWeights } from './winograd-weights.js';

const ALL_TERMS = TERMS * TERMS;

/**
 * Winograd's algorithm F(4, 3) along time and, nested in it, along the rows of each step: of a window of four, thirty-six
 * convolutions 1x3 on a quarter of the rows take the place of ten convolutions 3x3, three tenths of the multiply-adds.
 *
 * Rows come in and go out in tiles, as an `Activation` has them: no layer of a chain puts them in order for the next. All
 * sums at the beginning, along time and rows, are one product with a small matrix, and so are all at the end; the
 * thirty-six terms are groups of channels of one convolution.
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
  convolve(name: string, x: Activation, kernel: Kernel, slices: readonly number[]): Activation {
    const b = this.#builder;
    const rows = b.blocked(x.rows);
    const [count, channels, height, width] = rows.shape as [number, number, number, number];
    const tiles = x.length / TILE;
    const out = kernel.shape[0]!;
    const input = this.#withNeighbours(name, rows);
    const sums = matrixProduct(b, name, 'of-rows', termsMatrix(tiles), input);
    const terms = b.reshape(`${name}.terms`, sums, [tiles, ALL_TERMS * channels, height, width]);
    const inputs = [terms, this.#weight(kernel, slices), ...termBias(b, kernel, ALL_TERMS, BIASED_TERM * (TERMS + 1))];
    const products = b.node('Conv', `${name}.products`, inputs, [tiles, ALL_TERMS * out, height, width], {
      kernel_shape: [1, 3],
      pads: [0, 1, 0, 1],
      group: ALL_TERMS,
    });
    const all = b.reshape(`${name}.all`, products, [tiles * ALL_TERMS, out * height * width]);
    const made = matrixProduct(b, name, 'of-terms', rowsMatrix(tiles), all);
    return Activation.ofRows(b, b.reshape(`${name}.rows`, made, [count, out, height, width]), x.shape[2]!);
  }

  /** All that a tile's terms are sums of: before its own rows the last of the tile above, behind them the first of that below. */
  #withNeighbours(name: string, rows: Value): Value {
    const b = this.#builder;
    const [count, channels, height, width] = rows.shape as [number, number, number, number];
    const block = rows.block ?? 1;
    const own = b.reshape(`${name}.own`, rows, [TILE, (count * channels) / TILE / block, height, width * block]);
    // Negative paddings cut off: all other rows of the tiles, and the tile that would be one too many.
    const moved = (where: string, row: number, down: number) =>
      b.node(
        'Pad',
        `${name}.${where}`,
        [own, b.indices([-row, 0, down, 0, row + 1 - TILE, 0, -down, 0])],
        [1, ...own.shape.slice(1)],
      );
    const six = b.concat(`${name}.with-neighbours`, [moved('above', TILE - 1, 1), own, moved('below', 0, -1)], 0);
    return b.reshape(`${name}.flat`, six, [(count / TILE) * (TILE + 2), channels * height * width]);
  }

  #weight({ name, shape, weight }: Kernel, slices: readonly number[]): Value {
    const input = `${name}.winograd`;
    const size = rowsShape(shape);
    if (this.#fed) {
      const bytes = elementCount(size) * elementBytes(ElementType.float32);
      return this.#builder.feed({ name, shape, slices, weight, input, bytes }, size);
    }
    return this.#builder.weight(input, ElementType.float32, size, () => rowsWeights({ shape, slices }, weight()));
  }
}

/** Makes, for every tile in time, the six terms along time of each of the six along the rows; of six rows of all steps. */
const termsMatrix = (tiles: number): number[][] =>
  stepsMatrix(tiles).flatMap((_, i, ofSteps) => {
    const [tile, point] = [Math.floor(i / TERMS), i % TERMS];
    const terms = ofSteps.slice(tile * TERMS, (tile + 1) * TERMS);
    return terms.map((ofStep) => OF_STEPS[point]!.flatMap((row) => ofStep.map((step) => row * step)));
  });

/** Makes a tile's four rows, each of all steps, of the terms that `termsMatrix` makes. */
const rowsMatrix = (tiles: number): number[][] =>
  OF_TERMS.flatMap((ofRow) =>
    Array.from({ length: tiles * TILE }, (_, step) =>
      Array.from({ length: tiles * ALL_TERMS }, (_, i) => {
        const [tile, point, term] = [Math.floor(i / ALL_TERMS), Math.floor(i / TERMS) % TERMS, i % TERMS];
        return tile === Math.floor(step / TILE) ? ofRow[point]! * OF_TERMS[step % TILE]![term]! : 0;
      }),
    ),
  );
