import { GraphRunner } from '../evaluate/graph-runner.js';
import { ElementType, type OnnxModel } from '../model/onnx/proto.js';
import { encodeModel } from '../model/onnx/writer.js';
import { repeat } from './timing.js';

const SIDE = 1024;
// As many in one run that handing over the input and the result, a few milliseconds, hardly count.
const PRODUCTS = 16;

/**
 * The rate of large fp32 matrix products on ONNX Runtime with so many threads, in TFLOP/s: the best of a few runs. What a
 * processor could reach by its clock and its units is not known from within a program, so this is the peak that windows
 * are held against: the same library at what it does best.
 */
export async function measureReferenceRate(threads: number, signal?: AbortSignal): Promise<number> {
  const graph = { inputs: ['x'], fed: [], encode: async () => encodeModel(products()) };
  const runner = await GraphRunner.open(() => graph, { inBlocks: false, threads });
  try {
    const input = new Uint8Array(SIDE * SIDE).fill(1);
    const times = await repeat(() => runner.run([input]), { warmup: 1, runs: 4, seconds: 1, signal });
    return (2 * SIDE ** 3 * PRODUCTS) / (Math.min(...times) / 1000) / 1e12;
  } finally {
    await runner.close();
  }
}

/** A product of a square matrix with itself, over and over, of which only the largest element is handed out. */
function products(): OnnxModel {
  // Rows that add up to 1 keep all values as they are: neither denormal nor infinite, which take longer.
  const matrix = new Float32Array(SIDE * SIDE).fill(1 / SIDE);
  const node = (op: string, inputs: string[], output: string, attributes: [string, number][]) => ({
    ...{ name: output, op, domain: '', inputs, outputs: [output] },
    attributes: new Map(attributes.map(([name, value]) => [name, { kind: 'int', value } as const])),
  });
  const chain = Array.from({ length: PRODUCTS }, (_, i) => node('MatMul', [`y${i}`, 'matrix'], `y${i + 1}`, []));
  return {
    irVersion: 8,
    opsets: new Map([['', 17]]),
    producer: 'flavr',
    metadata: {},
    name: 'products',
    inputs: [{ name: 'x', type: ElementType.uint8, shape: [SIDE, SIDE] }],
    outputs: [{ name: 'interpolated', type: ElementType.float32, shape: [1, 1] }],
    values: [],
    nodes: [
      node('Cast', ['x'], 'y0', [['to', ElementType.float32]]),
      ...chain,
      node('ReduceMax', [`y${PRODUCTS}`], 'interpolated', []),
    ],
    initializers: [
      {
        name: 'matrix',
        type: ElementType.float32,
        shape: [SIDE, SIDE],
        data: () => new Uint8Array(matrix.buffer),
      },
    ],
    functions: [],
  };
}
