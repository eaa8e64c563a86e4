import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { elementCount } from '../model/shape.js';
import type { Feeds } from './fed-weights.js';
import type { Ort } from './find-block.js';

/** What the frames of a window became. */
export interface Inferred {
  /** All new frames, one after another; overwritten by the next run. */
  readonly frames: Uint8Array<ArrayBuffer>;
  readonly peak: number;
}

/** A graph ready to run. */
export class CpuGraph {
  readonly #ort: Ort;
  readonly #session: InferenceSession;
  readonly #inputs: readonly string[];
  readonly #shape: readonly number[];
  readonly #weights: Feeds;
  /** The memory that new frames are written to, taken when the first are asked for. */
  #written: { readonly frames: Inferred['frames']; readonly peak: Float32Array; readonly outputs: Feeds } | undefined;

  /**
   * @param inputs names of the frames' inputs, uint8 and all of one shape.
   * @param weights what the graph is fed with besides.
   */
  constructor(ort: Ort, session: InferenceSession, inputs: readonly string[], weights: Feeds) {
    this.#ort = ort;
    this.#session = session;
    this.#inputs = inputs;
    this.#shape = shapeOf(session.inputMetadata, inputs[0]!);
    this.#weights = weights;
  }

  /** Runs a graph that makes frames of bytes, and tells their peak. */
  async infer(window: readonly Uint8Array[]): Promise<Inferred> {
    this.#written ??= this.#takeMemory();
    const { frames, peak, outputs } = this.#written;
    await this.#session.run(this.#feeds(window), outputs);
    return { frames, peak: peak[0]! };
  }

  /** Runs a graph whose outputs are float32, whatever they are. */
  async run(window: readonly Uint8Array[]): Promise<Readonly<Record<string, Tensor>>> {
    return this.#session.run(this.#feeds(window));
  }

  #feeds(window: readonly Uint8Array[]): Feeds {
    const frames = this.#inputs.map((name, i) => [name, new this.#ort.Tensor('uint8', window[i]!, this.#shape)]);
    return { ...this.#weights, ...Object.fromEntries(frames) };
  }

  #takeMemory() {
    const shape = shapeOf(this.#session.outputMetadata, 'interpolated');
    const frames = new Uint8Array(elementCount(shape));
    const peak = new Float32Array(1);
    const outputs = {
      interpolated: new this.#ort.Tensor('uint8', frames, shape),
      peak: new this.#ort.Tensor('float32', peak, [1]),
    };
    return { frames, peak, outputs };
  }
}

function shapeOf(metadata: readonly InferenceSession.ValueMetadata[], name: string): readonly number[] {
  const value = metadata.find((candidate) => candidate.name === name);
  if (!value?.isTensor) throw new Error(`the graph has no tensor ${name}`);
  return value.shape as number[];
}
