import { checkOptions } from '../arguments.js';
import type { Model } from './config.js';
import { buildGraphInSlices } from './graph/build.js';
import { type BuiltGraph, GRAPH_SPEC, type GraphSpec } from './graph-spec.js';
import { givenModel } from './load.js';

/**
 * Makes an ONNX file of a model, for one frame size, batch and factor.
 *
 * @param model a bundled model's name, a path, or what `loadModel` gave.
 * @param spec size of the frames, and what differs from the defaults: k (the model's factor), batch 1, fp32, the 3d
 * lowering, the framed form (bytes in and out; see `GraphForm` for the others and for names and shapes).
 * @returns the file's bytes with names, frame stride and an estimate of memory and operations.
 * @throws FlavrError `BAD_ARGUMENT` for a spec that cannot be; `UNSUPPORTED_FACTOR` if k does not divide the model's
 * factor; what `loadModel` throws.
 * @example
 * const { bytes } = await exportOnnx('mini-2x', { width: 640, height: 360, form: 'framed' });
 * await writeFile('mini-2x.onnx', bytes);
 */
export async function exportOnnx(model: string | Model, spec: GraphSpec): Promise<BuiltGraph> {
  checkOptions('exportOnnx', spec, GRAPH_SPEC);
  return buildGraphInSlices(await givenModel(model), spec);
}
