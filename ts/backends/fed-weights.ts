import type { Tensor } from 'onnxruntime-node';
import { rowsShape, rowsWeights } from '../model/graph/winograd-weights.js';
import type { FedKernel } from '../model/graph-spec.js';
import type { Ort } from './find-block.js';

export type Feeds = Readonly<Record<string, Tensor>>;

/** The weights that a kernel's layer is fed with in every run, by the name of the graph's input. */
export function fedWeights(
  { Tensor }: Ort,
  kernel: Pick<FedKernel, 'shape' | 'slices' | 'input'>,
  values: Float32Array,
  block: number,
): Feeds {
  return { [kernel.input]: new Tensor('float32', rowsWeights(kernel, values, block), rowsShape(kernel.shape)) };
}
