import type { FedKernel } from '../graph-spec.js';
import { elementCount } from '../shape.js';
import { OF_KERNEL, TERMS } from './winograd-time.js';

// Where vectors of weights lie across two cache lines each, a window takes 1.2 % more time. What glibc gives for a large
// array begins 16 bytes behind a page; elsewhere nothing is lost.
const LINE = 64;
const TO_LINE = LINE - 16;

/** Of a kernel's weights as `RowsWinograd` convolves with them: for all terms, rows of three. */
export const rowsShape = ([out, channels]: readonly number[]): [number, number, number, number] => [
  TERMS * TERMS * out!,
  channels!,
  1,
  3,
];

/**
 * A kernel [out, in, 3, 3, 3] for all terms along time of each along the rows: [36 * out, in, 1, 3].
 * @param block 1 for row-major order, else how many channels, in and out, stand side by side in ONNX Runtime's own order.
 */
export function rowsWeights(
  { shape, slices }: Pick<FedKernel, 'shape' | 'slices'>,
  kernel: Float32Array,
  block = 1,
): Float32Array {
  const length = elementCount(rowsShape(shape));
  const weights = new Float32Array(new ArrayBuffer(4 * length + LINE), TO_LINE, length);
  for (let point = 0, ofPoint = length / TERMS; point < TERMS; point++) {
    writePoint(weights.subarray(point * ofPoint, (point + 1) * ofPoint), { shape, slices }, kernel, point, block);
  }
  return weights;
}

/** The weights at one point along the rows, for all terms along time. */
function writePoint(
  weights: Float32Array,
  { shape, slices }: Pick<FedKernel, 'shape' | 'slices'>,
  kernel: Float32Array,
  point: number,
  block: number,
): void {
  const [out, channels] = shape as [number, number];
  const term = weights.length / TERMS;
  const taps = slices.flatMap((slice) => [0, 1, 2].map((column) => slice * 9 + column));
  const [top, middle, bottom] = OF_KERNEL[point]!;
  const [[first], [outer, inner], , [low, mid, high], , [, , last]] = OF_KERNEL;
  const sums = new Float64Array(9);
  visitInBlocks(out, channels, block, (o, c, at) => {
    const from = (o * channels + c) * 27;
    for (let i = 0; i < 9; i++) {
      const tap = from + taps[i]!;
      sums[i] = top * kernel[tap]! + middle * kernel[tap + 3]! + bottom * kernel[tap + 6]!;
    }
    for (let column = 0, to = at; column < 3; column++, to += block * block) {
      const before = sums[column]!;
      const same = sums[3 + column]!;
      const behind = sums[6 + column]!;
      // Two terms each differ in the sign of the middle slice alone.
      const even1 = outer * (before + behind);
      const odd1 = inner * same;
      const even2 = low * before + high * behind;
      const odd2 = mid * same;
      weights[to] = first * before;
      weights[to + term] = even1 + odd1;
      weights[to + 2 * term] = even1 - odd1;
      weights[to + 3 * term] = even2 + odd2;
      weights[to + 4 * term] = even2 - odd2;
      weights[to + 5 * term] = last * behind;
    }
  });
}

/**
 * The weights of a convolution 1x3 in the order in which they lie in memory: for each block of outputs and inputs its
 * columns one after another, and in a column its inputs, each with all its outputs side by side.
 * @param visit is told the place of an output and input's first column; to the next it is `block` squared.
 */
export function visitInBlocks(
  out: number,
  channels: number,
  block: number,
  visit: (o: number, c: number, at: number) => void,
): void {
  let at = 0;
  for (let outs = 0; outs < out; outs += block) {
    for (let ins = 0; ins < channels; ins += block) {
      for (let c = ins; c < ins + block; c++) {
        for (let o = outs; o < outs + block; o++) visit(o, c, at++);
      }
      at += 2 * block * block;
    }
  }
}
