import { createHash } from 'node:crypto';
import { FlavrError } from '../../errors.js';
import { frameFormat } from '../../frame.js';
import { type GraphModel, type Model, modelFactor, modelInputs, type WeightsModel } from '../config.js';
import type { BuiltGraph, CompleteGraphSpec, GraphEstimate, GraphSpec, PlannedGraph, Tap } from '../graph-spec.js';
import { ElementType, type OnnxModel } from '../onnx/proto.js';
import { decodeModel } from '../onnx/reader.js';
import { encodeModel, encodeModelInSlices } from '../onnx/writer.js';
import { elementCount } from '../shape.js';
import { BlockBuilder } from './block-builder.js';
import { computeType, embeddedName, GraphBuilder, type Value } from './builder.js';
import { CostCount } from './cost.js';
import { estimateMemory, type SizedValue } from './estimate.js';
import { embedForeign, foreignLayout } from './foreign.js';
import {
  addResidual,
  byteFrames,
  byteOutputs,
  centred,
  clipMean,
  floatOutput,
  paddedSize,
  rawFrames,
  ringStride,
} from './frames.js';
import { countConvolutions, inferShapes } from './infer.js';
import { Lowering2d } from './lowering-2d.js';
import { Lowering3d } from './lowering-3d.js';
import { LoweringInt8, type Ranges } from './lowering-int8.js';
import { LoweringWinograd } from './lowering-winograd.js';
import { network } from './network.js';
import { Weights } from './weights.js';

/**
 * Builds the ONNX graph of a model for one frame size, batch and factor.
 *
 * Defaults: the model's own factor, batch 1, fp32, the 3d lowering, the framed form, all weights in the graph. A graph that someone exported keeps its
 * own operators, whatever the lowering. Nothing is read or written; weights are converted while the file is put together,
 * so that memory peaks at the model's tensors and the file once.
 * @param taps values inside the graph that are to be outputs too. None by default.
 * @throws FlavrError `BAD_ARGUMENT` for a size, batch or form that cannot be; `UNSUPPORTED_FACTOR` if k does not divide the
 * model's factor; `CHECKPOINT_INVALID` if a tensor is missing or has another shape than the configuration says.
 */
export function buildGraph(model: Model, spec: GraphSpec, taps: readonly Tap[] = []): BuiltGraph {
  const { graph, ...built } = assemble(model, completeSpec(model, spec), taps);
  return { bytes: encodeModel(graph), ...built };
}

/** The same without blocking the event loop for longer than one layer's weights take. */
export async function buildGraphInSlices(
  model: Model,
  spec: GraphSpec,
  taps: readonly Tap[] = [],
): Promise<BuiltGraph> {
  const { encode, ...planned } = planGraph(model, spec, taps);
  return { bytes: await encode(), ...planned };
}

/** All of a graph but its file. Same defaults and errors as `buildGraph`. */
export function planGraph(model: Model, spec: GraphSpec, taps: readonly Tap[] = []): PlannedGraph {
  const { graph, ...planned } = assemble(model, completeSpec(model, spec), taps);
  return { encode: () => encodeModelInSlices(graph), ...planned };
}

/** The estimate of a graph without its file: no weights are converted. Same defaults and errors as `buildGraph`. */
export function estimateGraph(model: Model, spec: GraphSpec): GraphEstimate {
  return assemble(model, completeSpec(model, spec)).estimate;
}

/** Constants have fewer elements than this, and convolutions' weights more. */
const FEW_ELEMENTS = 64;

/**
 * SHA-256, in hex, of a graph without its weights, which the model's hash stands for. Same defaults and errors as
 * `buildGraph`, at a fraction of its time.
 */
export function graphDigest(model: Model, spec: GraphSpec): string {
  const { graph } = assemble(model, completeSpec(model, spec));
  const { initializers } = graph;
  const small = initializers.filter(({ shape }) => elementCount(shape) <= FEW_ELEMENTS);
  const hash = createHash('sha256').update(encodeModel({ ...graph, initializers: small }));
  return hash.update(JSON.stringify(initializers.map(({ name, type, shape }) => [name, type, shape]))).digest('hex');
}

/** The activations that int8 quantises, each with the values of the 2d lowering whose range it must cover. */
export function quantisedActivations(model: WeightsModel): ReadonlyMap<string, readonly string[]> {
  const { config } = model;
  const b = new GraphBuilder();
  // The same at every size and factor.
  const geometry = { batch: 1, inputs: config.inputs, height: 64, width: 64 };
  const lowering = new LoweringInt8(b, () => ({ min: 0, max: 1 }));
  network(lowering, new Weights(model), lowering.window(rawFrames(b, geometry)), config.factor);
  return lowering.quantised;
}

function assemble(
  model: Model,
  spec: CompleteGraphSpec,
  taps: readonly Tap[] = [],
): Omit<PlannedGraph, 'encode'> & { graph: OnnxModel } {
  const { batch, height, width, form } = spec;
  const ring = form === 'ring';
  const frameStride = ring ? ringStride(height * width * 3) : height * width * 3;
  const geometry = { batch, inputs: modelInputs(model), height, width };

  const b = spec.block > 1 ? new BlockBuilder(spec.block) : new GraphBuilder();
  const frames = form === 'raw' ? rawFrames(b, geometry) : byteFrames(b, geometry, frameStride, ring);
  const body = model.kind === 'weights' ? fromWeights(b, model, spec, frames) : fromGraph(b, model, spec, frames);
  if (form === 'raw') b.output(b.node('Identity', 'interpolated', [body.unit], body.unit.shape));
  else if (form === 'unrounded') floatOutput(b, body.unit, geometry);
  else byteOutputs(b, body.unit, geometry);
  for (const each of taps) tap(b, each);
  return {
    graph: b.finish(describe(model, spec, frameStride)),
    spec,
    inputs: b.inputs.map((input) => input.name),
    fed: b.fed,
    frameStride,
    estimate: {
      parameters: body.parameters,
      usefulFlops: 2 * body.cost.useful,
      paperFlops: 2 * body.cost.padded,
      ...estimateMemory(b, body.embedded),
    },
  };
}

function tap(b: GraphBuilder, { value: name, channels, sample }: Tap): void {
  const value = b.values.find((candidate) => candidate.name === name);
  if (!value) throw new FlavrError('BAD_ARGUMENT', `The graph has no value ${name} that could be tapped.`);
  if (channels) {
    const shape = value.shape.with(1, channels.length);
    b.output(b.node('Gather', `${name}.channels`, [value, b.indices(channels)], shape, { axis: 1 }));
  } else if (sample) b.output(sampled(b, value, sample));
  else if (!b.outputs.includes(value)) b.output(value);
}

/** About `count` of the values, at equal distances that let every column come. */
function sampled(b: GraphBuilder, value: Value, count: number): Value {
  const length = elementCount(value.shape);
  let step = Math.ceil(length / count);
  while (commonDivisor(step, value.shape.at(-1)!) > 1) step++;
  const flat = b.reshape(`${value.name}.flat`, value, [length]);
  const range = [0, length, 0, step].map((number) => b.indices([number]));
  return b.node('Slice', `${value.name}.sample`, [flat, ...range], [Math.ceil(length / step)]);
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** The frames of the gap, unclamped, [B, k-1, 3, H', W'] in float32; and what making them takes. */
interface Body {
  readonly unit: Value;
  readonly parameters: number;
  readonly cost: CostCount;
  readonly embedded?: readonly SizedValue[];
}

function fromWeights(b: GraphBuilder, model: WeightsModel, spec: CompleteGraphSpec, frames: readonly Value[]): Body {
  const { config } = model;
  if (config.temporal !== 'none' && config.inputs % 4 !== 0) {
    throw new FlavrError(
      'CHECKPOINT_INVALID',
      `A network that halves time twice takes a multiple of 4 frames; ${model.name} says ${config.inputs}.`,
    );
  }
  const weights = new Weights(model);
  const mean = clipMean(b, frames);
  const window = centred(b, frames, mean, computeType(spec.precision));
  const output = lower(spec, b, weights, window);
  const unit = addResidual(b, output, config.residual, frames, mean);

  const cost = new CostCount();
  const [, , height, width] = frames[0]!.shape as [number, number, number, number];
  network(cost, weights, { channels: 3, time: config.inputs, height, width }, spec.factor);
  return { unit, parameters: parameterCount(model), cost };
}

function fromGraph(b: GraphBuilder, model: GraphModel, spec: CompleteGraphSpec, frames: readonly Value[]): Body {
  const [height, width] = [paddedSize(spec.height), paddedSize(spec.width)];
  if (height !== model.height || width !== model.width) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `The graph ${model.name} is made for ${model.width}x${model.height}; frames of ${spec.width}x${spec.height} need ${width}x${height}. Export it again for that size.`,
    );
  }
  if (spec.batch !== 1 || spec.precision !== 'fp32') {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `The graph ${model.name} runs as it was exported, with batch 1 and in fp32; got batch ${spec.batch} and ${spec.precision}.`,
    );
  }
  const graph = decodeModel(model.bytes);
  const unit = embedForeign(b, graph, foreignLayout(graph, model.name), frames, spec.factor);
  const learned = graph.initializers.filter(({ type }) => type === ElementType.float32);
  const parameters = learned.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const shapes = inferShapes(graph);
  const embedded = [...shapes].map(([value, shape]) => ({
    name: embeddedName(value),
    type: ElementType.float32,
    shape,
  }));
  return { unit, parameters, cost: countConvolutions(graph, shapes), embedded };
}

function lower(
  { lowering, precision, factor, fed }: CompleteGraphSpec,
  b: GraphBuilder,
  weights: Weights,
  window: readonly Value[],
): Value {
  const { type } = window[0]!;
  if (lowering === '3d') {
    const ops = new Lowering3d(b, type);
    return network(ops, weights, ops.window(window), factor);
  }
  if (lowering === 'winograd') {
    const ops = new LoweringWinograd(b, fed);
    return network(ops, weights, ops.window(window), factor);
  }
  const ops = precision === 'int8' ? new LoweringInt8(b, rangesOf(weights.model)) : new Lowering2d(b, type);
  return network(ops, weights, ops.window(window), factor);
}

function rangesOf({ name, calibration }: WeightsModel): Ranges {
  if (calibration) return (activation) => calibration.ranges.get(activation)!;
  throw uncalibrated(name);
}

/** What is said of precision int8 without a calibration. */
export const uncalibrated = (name: string): FlavrError =>
  new FlavrError(
    'BAD_ARGUMENT',
    `Precision int8 needs the ranges of ${name}'s activations, measured on frames like those that will come: make them with "flavr calibrate" and name the file as calibration (--calibration).`,
  );

/** The parameters that training learns; a batch norm's running statistics are none. */
function parameterCount({ tensors }: WeightsModel): number {
  let count = 0;
  for (const [name, { data }] of tensors) {
    if (!/\.(running_mean|running_var|num_batches_tracked)$/.test(name)) count += data.length;
  }
  return count;
}

/** What a reader of the file may want to know; `flavr.form` and `flavr.stride` tell the ring form from the framed one. */
function describe(model: Model, spec: CompleteGraphSpec, frameStride: number): Record<string, string> {
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
    ...(spec.block > 1 ? { block: spec.block } : {}),
  };
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [`flavr.${key}`, String(value)]));
}

/** Whether a graph can be in blocks of channels. One that cannot is in ONNX's own order, whatever its spec's `block`. */
export const takesBlocks = (
  model: Model,
  { lowering, precision = 'fp32', batch = 1 }: Pick<GraphSpec, 'lowering' | 'precision' | 'batch'>,
): boolean => model.kind === 'weights' && lowering === 'winograd' && precision === 'fp32' && batch === 1;

/** Checks a spec against the model and fills in the defaults. */
function completeSpec(model: Model, spec: GraphSpec): CompleteGraphSpec {
  const { width, height } = frameFormat(spec);
  const full = {
    width,
    height,
    factor: spec.factor ?? modelFactor(model),
    batch: spec.batch ?? 1,
    precision: spec.precision ?? 'fp32',
    lowering: spec.lowering ?? (spec.precision === 'int8' ? '2d' : '3d'),
    form: spec.form ?? 'framed',
    fed: spec.fed ?? false,
    block: spec.block ?? 1,
  } as const;
  if (full.precision === 'int8' && full.lowering === '3d') {
    throw new FlavrError('BAD_ARGUMENT', `Precision int8 has the lowering 2d; got 3d.`);
  }
  const m = modelFactor(model);
  if (full.factor < 2 || m % full.factor !== 0) {
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
  const lowering = full.lowering === 'winograd' && full.precision !== 'fp32' ? '2d' : full.lowering;
  const block = takesBlocks(model, full) ? full.block : 1;
  return { ...full, lowering, block, fed: full.fed && block > 1 };
}
