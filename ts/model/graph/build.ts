import { FlavrError } from '../../errors.js';
import { frameFormat } from '../../frame.js';
import { type Model, modelFactor, modelInputs, type WeightsModel } from '../config.js';
import type { BuiltGraph, GraphSpec, Lowering } from '../graph-spec.js';
import { encodeModel } from '../onnx/writer.js';
import { computeType, GraphBuilder, type Value } from './builder.js';
import { CostCount } from './cost.js';
import { estimateMemory } from './estimate.js';
import {
  addResidual,
  byteFrames,
  byteOutputs,
  centred,
  clipMean,
  paddedSize,
  rawFrames,
  ringStride,
} from './frames.js';
import { Lowering2d } from './lowering-2d.js';
import { Lowering3d } from './lowering-3d.js';
import { network } from './network.js';
import { Weights } from './weights.js';

/**
 * Builds the ONNX graph of a model for one frame size, batch and factor.
 *
 * Defaults: the model's own factor, batch 1, fp32, the 3d lowering, the framed form. Nothing is read or written; the
 * weights are converted while the file is put together, so the peak of memory is the model's tensors and the file once.
 * @throws FlavrError `BAD_ARGUMENT` for a size, batch or form that cannot be; `UNSUPPORTED_FACTOR` if k does not divide the
 * model's factor; `CHECKPOINT_INVALID` if a tensor is missing or has another shape than the configuration says.
 */
export function buildGraph(model: Model, spec: GraphSpec): BuiltGraph {
  const full = completeSpec(model, spec);
  if (model.kind === 'graph') throw new FlavrError('GRAPH_INVALID', 'Graphs of other makers cannot be framed yet.');
  return buildFromWeights(model, full);
}

function buildFromWeights(model: WeightsModel, spec: Required<GraphSpec>): BuiltGraph {
  const { height, width, batch, factor, form } = spec;
  const { config } = model;
  if (config.temporal !== 'none' && config.inputs % 4 !== 0) {
    throw new FlavrError(
      'CHECKPOINT_INVALID',
      `A network that halves time twice takes a multiple of 4 frames; ${model.name} says ${config.inputs}.`,
    );
  }
  const b = new GraphBuilder();
  const weights = new Weights(model);
  const geometry = { batch, inputs: config.inputs, height, width };
  const frameStride = form === 'ring' ? ringStride(height * width * 3) : height * width * 3;

  const frames = form === 'raw' ? rawFrames(b, geometry) : byteFrames(b, geometry, frameStride, form === 'ring');
  const mean = clipMean(b, frames);
  const type = computeType(spec.precision);
  const window = centred(b, frames, mean, type);
  const output = lower(spec.lowering, b, weights, window, factor);
  const unit = addResidual(b, form === 'raw' ? 'interpolated' : 'unit', output, config.residual, frames, mean);
  if (form === 'raw') b.output(unit);
  else byteOutputs(b, unit, geometry);

  const graph = b.finish(describe(model, spec, frameStride));
  const cost = new CostCount();
  const extent = { channels: 3, time: config.inputs, height: paddedSize(height), width: paddedSize(width) };
  network(cost, weights, extent, factor);
  return {
    bytes: encodeModel(graph),
    spec,
    inputs: b.inputs.map((input) => input.name),
    frameStride,
    estimate: {
      parameters: parameterCount(model),
      usefulFlops: 2 * cost.useful,
      paperFlops: 2 * cost.padded,
      ...estimateMemory(b),
    },
  };
}

function lower(lowering: Lowering, b: GraphBuilder, weights: Weights, window: readonly Value[], factor: number): Value {
  const { type } = window[0]!;
  if (lowering === '3d') {
    const ops = new Lowering3d(b, type);
    return network(ops, weights, ops.window(window), factor);
  }
  const ops = new Lowering2d(b, type);
  return network(ops, weights, ops.window(window), factor);
}

/** The parameters that training learns; a batch norm's running statistics are none. */
function parameterCount({ tensors }: WeightsModel): number {
  let count = 0;
  for (const [name, { data }] of tensors)
    if (!/\.(running_mean|running_var|num_batches_tracked)$/.test(name)) count += data.length;
  return count;
}

/** What a reader of the file may want to know; `flavr.form` and `flavr.stride` tell the ring form from the framed one. */
function describe(model: Model, spec: Required<GraphSpec>, frameStride: number): Record<string, string> {
  const facts = {
    model: model.name,
    hash: model.hash,
    'model-factor': modelFactor(model),
    inputs: modelInputs(model),
    k: spec.factor,
    form: spec.form,
    stride: frameStride,
    width: spec.width,
    height: spec.height,
    batch: spec.batch,
    precision: spec.precision,
    lowering: spec.lowering,
  };
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [`flavr.${key}`, String(value)]));
}

/** Checks a spec against the model and fills in the defaults. */
function completeSpec(model: Model, spec: GraphSpec): Required<GraphSpec> {
  const { width, height } = frameFormat(spec);
  const full = {
    width,
    height,
    factor: spec.factor ?? modelFactor(model),
    batch: spec.batch ?? 1,
    precision: spec.precision ?? 'fp32',
    lowering: spec.lowering ?? '3d',
    form: spec.form ?? 'framed',
  } as const;
  if (!Number.isInteger(full.batch) || full.batch < 1) {
    throw new FlavrError('BAD_ARGUMENT', `The batch must be a whole number from 1 up; got ${full.batch}.`);
  }
  oneOf('precision', full.precision, ['fp32', 'fp16']);
  oneOf('lowering', full.lowering, ['3d', '2d']);
  oneOf('form', full.form, ['raw', 'framed', 'ring']);
  const m = modelFactor(model);
  if (!Number.isInteger(full.factor) || full.factor < 2 || m % full.factor !== 0) {
    const possible = Array.from({ length: m - 1 }, (_, i) => i + 2).filter((k) => m % k === 0);
    throw new FlavrError(
      'UNSUPPORTED_FACTOR',
      `One pass of ${model.name} can be built for k = ${possible.join(', ')}; got ${full.factor}.`,
    );
  }
  if (full.form === 'raw' && (paddedSize(width) !== width || paddedSize(height) !== height)) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `The raw form does not pad: width and height must be multiples of 8; got ${width}x${height}. Pad the frames or use the framed form.`,
    );
  }
  return full;
}

function oneOf(what: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new FlavrError('BAD_ARGUMENT', `The ${what} must be ${known.join(' or ')}; got ${String(value)}.`);
}
