import type { Tensor } from 'onnxruntime-node';
import { pointShape, pointWeights } from '../model/graph/winograd-weights.js';
import type { FedKernel } from '../model/graph-spec.js';
import type { Ort } from './find-block.js';

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
