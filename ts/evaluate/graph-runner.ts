import { CpuProcess, type GraphOptions } from '../backends/cpu-process.js';
import type { PlannedGraph } from '../model/graph-spec.js';
import { elementCount } from '../model/shape.js';

export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

// Of the process's graphs the only one.
const GRAPH = 0;

/** A graph of bytes in and floats out (the `unrounded` form, with or without taps) in a process of its own. */
export class GraphRunner {
  readonly #process = new CpuProcess((header) =>
    header.op === 'outputs' ? header.outputs.map(({ dims }) => new Uint8Array(4 * elementCount(dims))) : [],
  );

  private constructor() {}

  /**
   * @param plan is told how many channels ONNX Runtime has side by side; what it throws, this throws.
   * @throws FlavrError `INFERENCE_FAILED` if ONNX Runtime does not take the graph.
   */
  static async open(
    plan: (block: number) => Pick<PlannedGraph, 'inputs' | 'fed' | 'encode'>,
    options: GraphOptions,
  ): Promise<GraphRunner> {
    const runner = new GraphRunner();
    try {
      await runner.#process.open(GRAPH, plan, options);
      return runner;
    } catch (error) {
      await runner.close();
      throw error;
    }
  }

  /** @param frames rgb24, in the order of the graph's inputs. */
  async run(frames: readonly Uint8Array[]): Promise<Readonly<Record<string, FloatTensor>>> {
    const slots = frames.map((frame, slot) => {
      this.#process.send({ op: 'upload', bytes: frame.length, slot }, frame);
      return slot;
    });
    const ran = this.#process.ask('outputs', { op: 'run', bytes: 0, graph: GRAPH, slots });
    this.#process.send({ op: 'free', bytes: 0, slots });
    const { header, payload } = await ran;
    return Object.fromEntries(
      header.outputs.map(({ name, dims }, i) => [name, { data: new Float32Array(payload[i]!.buffer), dims }]),
    );
  }

  /** Ends the process, whatever it does. */
  close(): Promise<void> {
    return this.#process.close();
  }
}
