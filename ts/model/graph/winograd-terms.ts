import { ElementType } from '../onnx/proto.js';
import type { GraphBuilder, Value } from './builder.js';
import type { Kernel } from './weights.js';
import { BIASED_TERM, stepsMatrix, TERMS, TILE } from './winograd-time.js';

// Winograd's algorithm along time on a stack of all steps, where the six terms are groups of channels.

/** The terms of all tiles of a stack [T, C, H, W]: [T / 4, 6C, H, W]. */
export function termsOf(b: GraphBuilder, name: string, x: Value): Value {
  const stack = b.blocked(x);
  const [steps, channels, height, width] = stack.shape as [number, number, number, number];
  const tiles = steps / TILE;
  const flat = b.reshape(`${name}.flat`, stack, [steps, channels * height * width]);
  const sums = matrixProduct(b, name, 'of-steps', stepsMatrix(tiles), flat);
  return b.reshape(`${name}.terms`, sums, [tiles, TERMS * channels, height, width]);
}

/** The bias of a layer, which belongs to the one of its terms that each step takes once. */
export function termBias(
  b: GraphBuilder,
  { name, bias }: Kernel,
  terms: number = TERMS,
  biased: number = BIASED_TERM,
): Value[] {
  if (!bias) return [];
  const length = terms * bias.length;
  return [
    b.weight(`${name}.winograd.bias`, ElementType.float32, [length], () => {
      const values = new Float32Array(length);
      values.set(bias, biased * bias.length);
      return values;
    }),
  ];
}

/** The product of a small constant matrix, the only one of its size that makes `what`, and x. */
export function matrixProduct(
  b: GraphBuilder,
  name: string,
  what: 'of-steps' | 'of-rows' | 'of-terms',
  matrix: readonly (readonly number[])[],
  x: Value,
): Value {
  const size = [matrix.length, matrix[0]!.length];
  const constant = b.weight(`winograd.${what}[${size.join('x')}]`, ElementType.float32, size, () =>
    Float32Array.from(matrix.flat()),
  );
  return b.node('MatMul', `${name}.${what}`, [constant, x], x.shape.with(-2, matrix.length));
}
