import { type EngineHeader, readEngineHeader } from '../engine/file.js';
import { supportedFactors } from '../factors.js';
import { type DecidedBy, type ModelConfig, modelFactor, modelInputs, type WeightsModel } from './config.js';
import { type CheckpointFormat, fileFormat } from './format.js';
import { estimateGraph } from './graph/build.js';
import type { GraphEstimate } from './graph-spec.js';
import type { ModelOptions } from './infer.js';
import { loadModel, openModelFile, readGraphBytes } from './load.js';
import { decodeModel } from './onnx/reader.js';

/** What a file is. Plain JSON. */
export type Inspection = WeightsInspection | GraphInspection | ExportInspection | EngineInspection;

interface ModelInspection {
  readonly name: string;
  /** m: the factor of one pass. */
  readonly factor: number;
  /** 2C: frames in a window. */
  readonly inputs: number;
  /** Every k that the model can do, in one pass or several. */
  readonly factors: readonly number[];
  readonly hash: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Size of the frames that `estimate` is for; of a graph, the only one it takes. */
  readonly width: number;
  readonly height: number;
  /** Cost of one window in one float32 pass, convolutions in their 3d lowering. */
  readonly estimate: GraphEstimate;
}

/** A checkpoint. */
export interface WeightsInspection extends ModelInspection {
  readonly kind: 'weights';
  readonly format: CheckpointFormat;
  /** For people: `r3d-18`, `r3d-34`, or the encoder with its blocks. */
  readonly variant: string;
  readonly config: ModelConfig;
  /** What settled each field: the tensors, the metadata, an option or the published default. */
  readonly decidedBy: Readonly<Record<keyof ModelConfig, DecidedBy>>;
}

/** A graph that someone exported themselves. */
export interface GraphInspection extends ModelInspection {
  readonly kind: 'graph';
}

/** A graph that flavr exported; `facts` are its own words on it: model, hash, k, form, width, height, precision, … */
export interface ExportInspection {
  readonly kind: 'export';
  readonly name: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** A built engine. */
export interface EngineInspection {
  readonly kind: 'engine';
  readonly name: string;
  readonly header: EngineHeader & { readonly planBytes: number };
}

export interface InspectOptions extends ModelOptions {
  /** Size of the frames to estimate cost for. Default 512x512, which papers report. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** What our own exports call the facts in their metadata. */
const EXPORT_PREFIX = 'flavr.';

/**
 * Says what a file is: a checkpoint and what decided its variant, a graph, or an engine, and what one window costs.
 * @throws FlavrError as `loadModel` does; `ENGINE_INCOMPATIBLE` for a damaged engine file.
 */
export async function inspectModel(nameOrPath: string, options: InspectOptions = {}): Promise<Inspection> {
  const { format, name, facts } = await lookInto(nameOrPath);
  if (format === 'engine') return { kind: 'engine', name, header: await readEngineHeader(nameOrPath) };
  if (facts) return { kind: 'export', name, facts };

  const { width = 512, height = 512, ...modelOptions } = options;
  const model = await loadModel(nameOrPath, modelOptions);
  const factor = modelFactor(model);
  const size = model.kind === 'graph' ? { width: model.width, height: model.height } : { width, height };
  const common = {
    name,
    factor,
    inputs: modelInputs(model),
    factors: supportedFactors(factor),
    hash: model.hash,
    metadata: model.metadata,
    ...size,
    estimate: estimateGraph(model, size),
  };
  if (model.kind === 'graph') return { ...common, kind: 'graph' };
  const { config, decidedBy } = model;
  return {
    ...common,
    kind: 'weights',
    format: format as CheckpointFormat,
    variant: variantOf(model),
    config,
    decidedBy,
  };
}

/** The file's format, and the facts of a graph that flavr exported. */
async function lookInto(nameOrPath: string) {
  const { source, name } = await openModelFile(nameOrPath);
  try {
    const format = await fileFormat(source);
    if (format !== 'onnx') return { format, name };
    const { metadata } = decodeModel(await readGraphBytes(source));
    const facts = Object.entries(metadata).filter(([key]) => key.startsWith(EXPORT_PREFIX));
    if (facts.length === 0) return { format, name };
    return {
      format,
      name,
      facts: Object.fromEntries(facts.map(([key, value]) => [key.slice(EXPORT_PREFIX.length), value])),
    };
  } finally {
    await source.close();
  }
}

/** The published encoders by their blocks per stage. */
const DEPTHS: Readonly<Record<string, string>> = { '2,2,2,2': '18', '3,4,6,3': '34' };

function variantOf({ config: { encoder, blocks } }: WeightsModel): string {
  return `${encoder}-${DEPTHS[String(blocks)] ?? `[${blocks}]`}`;
}
