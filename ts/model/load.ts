import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { checkArgument, checkOptions, type Kinds, oneOf, PATH } from '../arguments.js';
import { FlavrError } from '../errors.js';
import { TimeSlices } from '../time-slices.js';
import { BUNDLED_MODELS, bundledNames, openBundled } from './bundled.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import { openCheckpointFrom } from './checkpoint/open.js';
import { type ByteSource, invalid, openSource, readBytes } from './checkpoint/source.js';
import { type GraphModel, MODEL, type Model, type ModelConfig, type Tensor, type WeightsModel } from './config.js';
import { fileFormat } from './format.js';
import { readGraphModel } from './graph/foreign.js';
import { CHOICES, inferModel, type ModelOptions } from './infer.js';
import { upstreamNames } from './names.js';

/** An ONNX file is one protobuf message, which holds less than 2 GiB. */
const GRAPH_LIMIT = 2 ** 31 - 1;

const MODEL_OPTIONS: Kinds<ModelOptions> = {
  fusion: oneOf(...CHOICES.fusion),
  temporal: oneOf(...CHOICES.temporal),
  residual: oneOf(...CHOICES.residual),
};

/**
 * Loads a model into memory.
 *
 * @param nameOrPath a bundled model's name (`mini-2x`), or the path of a checkpoint (torch.save, old or new form, or
 * safetensors) or of a FLAVR graph that someone exported (ONNX). The content decides which, not the extension. A bundled
 * name wins over a file of that name; write `./NAME` for the file.
 * @param options what a checkpoint does not tell of itself.
 * @throws FlavrError `MODEL_NOT_FOUND`, listing the bundled models; `CHECKPOINT_INVALID`, saying which tensor is wrong and
 * what was expected; `CHECKPOINT_UNSAFE` for a pickle that names anything but tensors and plain values; `GRAPH_INVALID` for
 * a graph that is none of FLAVR's; `BAD_ARGUMENT` for an option that contradicts the file.
 * @example
 * const model = await loadModel('FLAVR_2x.pth', { residual: 'mean' });
 * const flavr = await Interpolator.open({ model, width: 1280, height: 720 });
 */
export async function loadModel(nameOrPath: string, options: ModelOptions = {}): Promise<Model> {
  checkArgument('nameOrPath', nameOrPath, PATH);
  checkOptions('loadModel', options, MODEL_OPTIONS);
  const { source, name } = await openModelFile(nameOrPath);
  try {
    switch (await fileFormat(source)) {
      case 'onnx':
        return await readGraph(source, options, name);
      case 'engine':
        throw new FlavrError(
          'BAD_ARGUMENT',
          `${nameOrPath} is a built engine, not a model: name it as engine (--engine).`,
        );
      default:
        return await readModel(await openCheckpointFrom(source), options, name);
    }
  } finally {
    await source.close();
  }
}

/** A model that a caller may have given by name or path. @throws FlavrError as `loadModel`. */
export async function givenModel(model: string | Model): Promise<Model> {
  checkArgument('model', model, MODEL);
  return typeof model === 'string' ? loadModel(model) : model;
}

async function readGraph(source: ByteSource, options: ModelOptions, name: string): Promise<GraphModel> {
  const stated = Object.entries(options).find(([, value]) => value !== undefined);
  if (stated) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `The option ${stated[0]} is for weights; ${name} is a graph, which has it built in.`,
    );
  }
  return readGraphModel(await readGraphBytes(source), name);
}

/** The whole of an ONNX file. */
export async function readGraphBytes(source: ByteSource): Promise<Uint8Array> {
  if (source.size <= GRAPH_LIMIT) return readBytes(source, 0, source.size, 'the graph');
  const claim = `${source.name} has ${source.size} bytes; a graph in one file has at most ${GRAPH_LIMIT}`;
  throw new FlavrError('GRAPH_INVALID', `${claim}. Export it with its weights inside.`);
}

/** The file behind a model's name, and the name that the model is to have. */
export async function openModelFile(nameOrPath: string): Promise<{ source: ByteSource; name: string }> {
  const bundled = BUNDLED_MODELS.find(({ name }) => name === nameOrPath);
  if (bundled) return { source: await openBundled(bundled), name: bundled.name };
  if (!existsSync(nameOrPath)) {
    throw new FlavrError(
      'MODEL_NOT_FOUND',
      `${nameOrPath} is neither a file nor a bundled model. Bundled models: ${bundledNames()}.`,
    );
  }
  return { source: await openSource(nameOrPath), name: basename(nameOrPath) };
}

/**
 * The network in an opened checkpoint. Configuration and shapes are settled before any value is read.
 * @throws FlavrError as `inferModel` does; `CHECKPOINT_INVALID` for weights that are not finite.
 */
export async function readModel(
  checkpoint: Checkpoint,
  options: ModelOptions = {},
  name = checkpoint.name,
): Promise<WeightsModel> {
  const { metadata } = checkpoint;
  const names = uniqueNames(checkpoint);
  const shapes = new Map([...names].map(([upstream, own]) => [upstream, checkpoint.tensors.get(own)!.shape]));
  const { config, decidedBy } = inferModel({ name: checkpoint.name, shapes, metadata }, options);
  const tensors = new Map<string, Tensor>();
  for (const [upstream, own] of names) {
    const data = await checkpoint.read(own);
    if (!allFinite(data)) throw invalid(checkpoint.name, `the tensor ${own} holds a value that is not finite`);
    tensors.set(upstream, { shape: shapes.get(upstream)!, data });
  }
  return { kind: 'weights', config, decidedBy, tensors, name, hash: await hashOf(config, tensors), metadata };
}

function allFinite(values: Float32Array): boolean {
  for (const value of values) if (!Number.isFinite(value)) return false;
  return true;
}

/** Upstream's names with the checkpoint's own ones. */
function uniqueNames(checkpoint: Checkpoint): Map<string, string> {
  const unique = new Map<string, string>();
  for (const [upstream, names] of upstreamNames(checkpoint.tensors.keys())) {
    if (names.length > 1) {
      throw invalid(checkpoint.name, `it has the tensor ${upstream} ${names.length} times, as ${names.join(' and ')}`);
    }
    unique.set(upstream, names[0]!);
  }
  return unique;
}

/** The same for equal weights in any file format: keys and names are sorted, values are float32 when they are hashed. */
async function hashOf(config: ModelConfig, tensors: ReadonlyMap<string, Tensor>): Promise<string> {
  const hash = createHash('sha256');
  const slices = new TimeSlices();
  hash.update(
    JSON.stringify(config, (_, value) => (isTable(value) ? Object.fromEntries(sorted(Object.entries(value))) : value)),
  );
  for (const [name, { shape, data }] of sorted(tensors)) {
    hash.update(`${name}[${shape}]`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    await slices.pause();
  }
  return hash.digest('hex');
}

const isTable = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const sorted = <V>(entries: Iterable<[string, V]>): [string, V][] => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
