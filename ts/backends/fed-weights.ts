import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder } from '../model/graph/builder.js';
import { pointShape, pointWeights, visitInBlocks } from '../model/graph/winograd-weights.js';
import type { FedKernel } from '../model/graph-spec.js';
import { ElementType } from '../model/onnx/proto.js';
import { encodeModel } from '../model/onnx/writer.js';

export type Ort = Pick<typeof import('onnxruntime-node'), 'InferenceSession' | 'Tensor'>;
export type Feeds = Readonly<Record<string, Tensor>>;

/** The weights that a kernel's layer is fed with in every run, by the names of the graph's inputs. */
export function fedWeights(
  { Tensor }: Ort,
  kernel: Pick<FedKernel, 'shape' | 'slices' | 'inputs'>,
  values: Float32Array,
  block: number,
): Feeds {
  const shape = pointShape(kernel.shape);
  const tensors = kernel.inputs.map((name, point) => [
    name,
    new Tensor('float32', pointWeights(kernel, values, point, block), shape),
  ]);
  return Object.fromEntries(tensors) as Feeds;
}

// Widths of vectors in floats. Weights in blocks of one are not those of another as soon as there are two of the largest.
const BLOCKS = [16, 8, 4];
const CHANNELS = 2 * BLOCKS[0]!;
const GROUPS = 2;

/**
 * How many channels stand side by side where ONNX Runtime convolves: a matter of the processor, of which it tells nothing.
 * So it is tried out, and the order of weights with it. Undefined if it has no such convolutions here.
 */
export async function findBlock({ InferenceSession, Tensor }: Ort): Promise<number | undefined> {
  const b = new GraphBuilder();
  const input = b.input('x', ElementType.float32, [1, GROUPS * CHANNELS, 1, 3]);
  const weights = b.input('weights', ElementType.float32, [GROUPS * CHANNELS, CHANNELS, 1, 3]);
  const blocks = b.blocksNode('ReorderInput', 'in-blocks', [input], input.shape);
  const shape = [1, GROUPS * CHANNELS, 1, 1];
  const form = { kernel_shape: [1, 3], group: GROUPS };
  const product = b.blocksNode('Conv', 'product', [blocks, weights], shape, form);
  b.output(b.blocksNode('ReorderOutput', 'y', [product], shape, { channels: GROUPS * CHANNELS }));

  let session: InferenceSession;
  try {
    session = await InferenceSession.create(encodeModel(b.finish({})), { logSeverityLevel: 4 });
  } catch {
    return undefined; // Its convolutions here know no blocks.
  }
  try {
    // Small whole numbers: their sums are exact in any order.
    const x = Float32Array.from({ length: GROUPS * CHANNELS * 3 }, (_, i) => (i * 7) % 11);
    const weight = (o: number, c: number, column: number) => (o * 5 + c * 3 + column * 2) % 13;
    const expected = Array.from({ length: GROUPS * CHANNELS }, (_, o) => {
      const group = Math.floor(o / CHANNELS);
      let sum = 0;
      for (let i = 0; i < CHANNELS * 3; i++) sum += x[group * CHANNELS * 3 + i]! * weight(o, Math.floor(i / 3), i % 3);
      return sum;
    });
    for (const block of BLOCKS) {
      const inBlocks = new Float32Array(GROUPS * CHANNELS * CHANNELS * 3);
      visitInBlocks(GROUPS * CHANNELS, CHANNELS, block, (o, c, at) => {
        for (let column = 0; column < 3; column++) inBlocks[at + column * block * block] = weight(o, c, column);
      });
      const { y } = await session.run({
        x: new Tensor('float32', x, input.shape),
        weights: new Tensor('float32', inBlocks, weights.shape),
      });
      if (expected.every((sum, o) => sum === y!.data[o])) return block;
    }
    return undefined;
  } finally {
    await session.release();
  }
}
