import type { InferenceSession } from 'onnxruntime-node';
import { GraphBuilder } from '../model/graph/builder.js';
import { visitInBlocks } from '../model/graph/winograd-weights.js';
import { ElementType } from '../model/onnx/proto.js';
import { encodeModel } from '../model/onnx/writer.js';

/** What is used of ONNX Runtime. */
export type Ort = Pick<typeof import('onnxruntime-node'), 'InferenceSession' | 'Tensor'>;

/** With AVX-512 or NEON, and with SSE2 to AVX2; ONNX Runtime has no others. */
export const BLOCKS = [16, 8] as const;

// Weights in blocks of one are not those of the other as soon as there are two of the larger.
const CHANNELS = 2 * BLOCKS[0];
const GROUPS = 2;

/**
 * How many channels stand side by side where ONNX Runtime convolves: a matter of the processor, of which it tells nothing.
 * So it is tried out, and the order of weights with it. 1, which is ONNX's own order, if it has no such convolutions here.
 */
export async function findBlock({ InferenceSession, Tensor }: Ort): Promise<number> {
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
    session = await InferenceSession.create(encodeModel(b.finish({})), { intraOpNumThreads: 1, logSeverityLevel: 4 });
  } catch {
    return 1;
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
    return 1;
  } finally {
    await session.release();
  }
}
