import type { EngineHeader } from '../engine/file.js';
import type { ModelConfig } from '../model/config.js';
import type { EngineInspection, GraphInspection, Inspection, WeightsInspection } from '../model/inspect.js';

/** An inspection as lines for people. */
export function formatInspection(inspection: Inspection): string[] {
  switch (inspection.kind) {
    case 'weights':
      return [...weightsLines(inspection), ...modelLines(inspection)];
    case 'graph':
      return [...graphLines(inspection), ...modelLines(inspection)];
    case 'export':
      return [`${inspection.name}: a graph exported by flavr`, ...tableLines(inspection.facts)];
    case 'engine':
      return engineLines(inspection);
  }
}

function weightsLines({ name, format, variant, config, decidedBy }: WeightsInspection): string[] {
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
  ];
}

const row = (field: string, by: string, value: string): string => `  ${field.padEnd(11)} ${by.padEnd(11)} ${value}`;

const graphLines = ({ name, inputs, factor, width, height }: GraphInspection): string[] => [
  `${name}: a FLAVR graph (onnx)`,
  `inputs      ${inputs} frames of ${width}x${height}`,
  `factor      ${factor}`,
];

function modelLines(inspection: WeightsInspection | GraphInspection): string[] {
  const { factor, factors, hash, metadata, width, height, estimate } = inspection;
  return [
    `parameters  ${estimate.parameters.toLocaleString('en')} (${megabytes(estimate.weightBytes)})`,
    `work        ${tera(estimate.paperFlops)} per window at ${width}x${height}; ${tera(estimate.usefulFlops)} without the taps on padding`,
    `memory      ${megabytes(estimate.peakActivationBytes)} of activations at ${width}x${height} in float32`,
    `factors     ${factors.join(', ')} (${factor} in one pass)`,
    `hash        ${hash}`,
    ...(Object.keys(metadata).length > 0 ? ['metadata', ...tableLines(metadata)] : []),
  ];
}

function engineLines({ name, header }: EngineInspection): string[] {
  const { model, width, height, factor, inputs, batch, precision, lowering, estimate } = header;
  return [
    `${name}: an engine for ${header.family} ${header.version}, written by flavr ${header.flavr}`,
    `target      ${targetText(header.target)}`,
    `model       ${model.name} (factor ${model.factor}, hash ${model.hash})`,
    `frames      ${inputs} of ${width}x${height}, batch ${batch}; k = ${factor}`,
    `precision   ${precision}, lowering ${lowering}, ${header.form} form`,
    `work        ${tera(estimate.paperFlops)} per window; ${tera(estimate.usefulFlops)} without the taps on padding`,
    `plan        ${megabytes(header.planBytes)}`,
  ].map(printable);
}

function targetText(target: EngineHeader['target']): string {
  switch (target.kind) {
    case 'device':
      return `${target.name} (compute capability ${target.computeCapability}, CUDA ${target.cudaVersion})`;
    case 'capabilities':
      return `compute capability ${target.computeCapabilities.join(', ')}`;
    case 'portable':
      return 'every GPU that the library supports';
  }
}

const tableLines = (table: Readonly<Record<string, string>>): string[] =>
  Object.entries(table).map(([key, value]) => `  ${printable(key)}: ${printable(value)}`);

const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no');
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const tera = (flops: number): string => `${(flops / 1e12).toPrecision(3)} TFLOP`;
/** Metadata come from a stranger's file: no terminal commands, no endless lines. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, '?').slice(0, 300);
