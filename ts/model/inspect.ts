import { supportedFactors } from '../factors.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import { type DecidedBy, type GraphModel, type ModelConfig, modelFactor, type WeightsModel } from './config.js';
import { buildGraph } from './graph/build.js';
import type { GraphEstimate } from './graph-spec.js';
import type { ModelOptions } from './infer.js';
import { loadModel, modelFormat } from './load.js';

/** What a model file is. Plain JSON. */
export type Inspection = WeightsInspection | GraphInspection;

interface CommonInspection {
  readonly name: string;
  /** m: the factor of one pass. */
  readonly factor: number;
  /** 2C: frames in a window. */
  readonly inputs: number;
  /** Every k that the model can do, in one pass or several. */
  readonly factors: readonly number[];
  readonly hash: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface WeightsInspection extends CommonInspection {
  readonly kind: 'weights';
  readonly format: Checkpoint['format'];
  /** For people: `r3d-18`, `r3d-34`, or the encoder with its blocks. */
  readonly variant: string;
  readonly config: ModelConfig;
  /** What settled each field: the tensors, the metadata, an option or the published default. */
  readonly decidedBy: Readonly<Record<keyof ModelConfig, DecidedBy>>;
  /** Size of the frames that `estimate` is for. */
  readonly width: number;
  readonly height: number;
  /** Cost of one window in one float32 pass of the 3d lowering. */
  readonly estimate: GraphEstimate;
}

export interface GraphInspection extends CommonInspection {
  readonly kind: 'graph';
  readonly format: 'onnx';
  /** Fixed size of the frames, multiples of 8. */
  readonly width: number;
  readonly height: number;
}

export interface InspectOptions extends ModelOptions {
  /** Size of the frames to estimate cost for. Default 512x512, which papers report. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/**
 * Reads a model and says what it is, what decided that, and what one window costs.
 * @throws FlavrError as `loadModel` does.
 */
export async function inspectModel(nameOrPath: string, options: InspectOptions = {}): Promise<Inspection> {
  const { width = 512, height = 512, ...modelOptions } = options;
  const format = await modelFormat(nameOrPath);
  const model = await loadModel(nameOrPath, modelOptions);
  const factor = modelFactor(model);
  const { name, hash, metadata } = model;
  const common = { name, factor, factors: supportedFactors(factor), hash, metadata };
  if (model.kind === 'graph') return { ...common, ...graphSize(model), kind: 'graph', format: 'onnx' };
  return {
    ...common,
    kind: 'weights',
    format: format as Checkpoint['format'],
    inputs: model.config.inputs,
    variant: variantOf(model),
    config: model.config,
    decidedBy: model.decidedBy,
    width,
    height,
    estimate: buildGraph(model, { width, height }).estimate,
  };
}

const graphSize = ({ inputs, width, height }: GraphModel) => ({ inputs, width, height });

/** The published encoders by their blocks per stage. */
const DEPTHS: Readonly<Record<string, string>> = { '2,2,2,2': '18', '3,4,6,3': '34' };

function variantOf({ config: { encoder, blocks } }: WeightsModel): string {
  return `${encoder}-${DEPTHS[String(blocks)] ?? `[${blocks}]`}`;
}

/** An inspection as lines for people. */
export function formatInspection(inspection: Inspection): string[] {
  return [
    ...(inspection.kind === 'weights' ? weightsLines(inspection) : graphLines(inspection)),
    ...commonLines(inspection),
  ];
}

function weightsLines({
  name,
  format,
  variant,
  config,
  decidedBy,
  width,
  height,
  estimate,
}: WeightsInspection): string[] {
  const { stem, stages, decoder, fuse } = config.widths;
  const fields: Record<keyof ModelConfig, string> = {
    encoder: config.encoder,
    blocks: config.blocks.join(' '),
    widths: `stem ${stem}; stages ${stages.join(' ')}; decoder ${decoder.join(' ')}; fuse ${fuse}`,
    inputs: `${config.inputs} frames`,
    factor: String(config.factor),
    fusion: config.fusion,
    upsampling: config.upsampling,
    batchNorm: yesOrNo(config.batchNorm),
    gating: yesOrNo(config.gating),
    temporal: config.temporal,
    residual: config.residual,
  };
  const names = Object.keys(fields) as (keyof ModelConfig)[];
  return [
    `${name}: weights of a FLAVR network, ${variant} (${format})`,
    row('field', 'decided by', 'value'),
    ...names.map((field) => row(field, decidedBy[field], fields[field])),
    '',
    `parameters  ${estimate.parameters.toLocaleString('en')} (${megabytes(estimate.weightBytes)} as float32)`,
    `work        ${tera(estimate.paperFlops)} per window at ${width}x${height}; ${tera(estimate.usefulFlops)} without the taps on padding`,
    `memory      ${megabytes(estimate.peakActivationBytes)} of activations at ${width}x${height} in float32`,
  ];
}

const row = (field: string, by: string, value: string): string => `  ${field.padEnd(11)} ${by.padEnd(11)} ${value}`;

const graphLines = ({ name, inputs, factor, width, height }: GraphInspection): string[] => [
  `${name}: a FLAVR graph (onnx)`,
  `inputs      ${inputs} frames of ${width}x${height}`,
  `factor      ${factor}`,
];

function commonLines({ factor, factors, hash, metadata }: Inspection): string[] {
  const entries = Object.entries(metadata);
  return [
    `factors     ${factors.join(', ')} (${factor} in one pass)`,
    `hash        ${hash}`,
    ...(entries.length > 0
      ? ['metadata', ...entries.map(([key, value]) => `  ${printable(key)}: ${printable(value)}`)]
      : []),
  ];
}

const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no');
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const tera = (flops: number): string => `${(flops / 1e12).toPrecision(3)} TFLOP`;
/** Metadata come from a stranger's file: no terminal commands, no endless lines. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, '?').slice(0, 300);
