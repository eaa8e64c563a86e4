import { types } from 'node:util';
import { CALLBACK, checkOptions, type Kinds, listOf, needed, oneOf, PATH, SIGNAL, whole } from '../arguments.js';
import type { BackendName, Progress } from '../backends/backend.js';
import { abortError, FlavrError, throwIfAborted } from '../errors.js';
import { SIDE } from '../frame.js';
import { type Model, modelFactor, modelInputs } from '../model/config.js';
import { buildGraphInSlices, estimateGraph } from '../model/graph/build.js';
import { type BuiltGraph, type GraphSpec, LOWERINGS, type Lowering, type Precision } from '../model/graph-spec.js';
import { givenModel } from '../model/load.js';
import { loadNative, type NativeBuildRequest, nativeError } from '../native.js';
import { onAbort } from '../on-abort.js';
import { FACTOR, PRECISION, RUN_OPTIONS } from '../options.js';
import { packageVersion } from '../package.js';
import type { Engine, EngineHeader, EngineTarget } from './file.js';
import { type FoundLibrary, isOf, type ProbeReport, probe, RTX_CAPABILITIES } from './probe.js';

/** What {@link buildEngine} takes. Only `backend`, `width` and `height` are needed. */
export interface BuildEngineOptions {
  /** tensorrt: on the GPU that will run it. tensorrt-rtx: anywhere, without a GPU. */
  readonly backend: Exclude<BackendName, 'cpu'>;
  /** Size of the frames as handed in. */
  readonly width: number;
  readonly height: number;
  /** k: a divisor of the model's factor, greater than 1. Default: the model's factor. */
  readonly factor?: number | undefined;
  /** Windows in one run. Default 1. */
  readonly batch?: number | undefined;
  /** Default fp16: half the memory, and on tensor cores several times the speed, at no visible loss. */
  readonly precision?: Precision | 'tf32' | undefined;
  /** Default 3d, and 2d where a tensor of the 3d graph would have 2^31 elements or more. */
  readonly lowering?: Lowering | undefined;
  /** TensorRT-RTX only: the GPUs to build for, such as `['8.9', '12.0']`. Default: an engine for all of them from 8.0 up. */
  readonly computeCapabilities?: readonly string[] | undefined;
  /** TensorRT only: the GPU to build on and for, counted from 0. Default 0. */
  readonly device?: number | undefined;
  /** Most scratch memory that one layer may use. Default: TensorRT's own limit, all of the GPU's memory. */
  readonly workspaceBytes?: number | undefined;
  /** 0 (fastest build) to 5 (most search). Default: TensorRT's own, 3. */
  readonly optimizationLevel?: number | undefined;
  /** TensorRT only: what an earlier build on this GPU gave to `onTimingCache`; it shortens this one. */
  readonly timingCache?: Uint8Array | undefined;
  /** TensorRT only: given what a later build on this GPU can start from. */
  readonly onTimingCache?: ((cache: Uint8Array) => void) | undefined;
  /** A TensorRT library, or a folder with one. Default: `FLAVR_TENSORRT_PATH`, the loader's path, Python's packages. */
  readonly tensorrtPath?: string | undefined;
  /** Told of stages, and how far each is. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Something to know that is no failure, such as another lowering than the default. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Ends the build with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

const BUILD_OPTIONS: Kinds<BuildEngineOptions> = {
  backend: needed(oneOf('tensorrt', 'tensorrt-rtx')),
  width: needed(SIDE),
  height: needed(SIDE),
  factor: FACTOR,
  batch: whole(1, 64),
  precision: PRECISION,
  lowering: oneOf(...LOWERINGS),
  computeCapabilities: listOf(oneOf(...RTX_CAPABILITIES)),
  device: RUN_OPTIONS.device,
  workspaceBytes: whole(0),
  optimizationLevel: whole(0, 5),
  timingCache: { words: 'a Uint8Array', fits: types.isUint8Array },
  onTimingCache: CALLBACK,
  tensorrtPath: PATH,
  onProgress: CALLBACK,
  onNotice: CALLBACK,
  signal: SIGNAL,
};

// TensorRT's convolutions index with 32 bits; its builders take larger tensors without complaint.
const MOST_ELEMENTS = 2 ** 31;
const ADDRESS_ALIGNMENT = 256;

/**
 * The graph to build: with the lowering that TensorRT can run.
 * @throws FlavrError `BAD_ARGUMENT` where it can run none.
 */
export function engineGraphSpec(model: Model, options: BuildEngineOptions): GraphSpec {
  const { width, height, factor, batch = 1, precision = 'fp16' } = options;
  const spec: GraphSpec = {
    width,
    height,
    factor,
    batch,
    precision: precision === 'tf32' ? 'fp32' : precision,
    // Views of the ring begin at each frame, and TensorRT wants addresses at multiples of 256 bytes.
    form: (width * height * 3) % ADDRESS_ALIGNMENT === 0 ? 'framed' : 'ring',
    lowering: options.lowering ?? '3d',
  };
  const { largestTensor } = estimateGraph(model, spec);
  if (largestTensor < MOST_ELEMENTS) return spec;
  const elements = `a tensor of ${largestTensor} elements, and TensorRT runs fewer than 2^31`;
  const size = `${width}x${height} with batch ${batch}`;
  if (options.lowering === undefined && batch === 1) {
    const other: GraphSpec = { ...spec, lowering: '2d' };
    if (estimateGraph(model, other).largestTensor < MOST_ELEMENTS) {
      options.onNotice?.(`The 3d graph for ${size} has ${elements}: the 2d lowering is taken instead.`);
      return other;
    }
  }
  throw new FlavrError(
    'BAD_ARGUMENT',
    `The ${spec.lowering} graph for ${size} has ${elements}. Use the 2d lowering with batch 1, or smaller frames.`,
  );
}

/** @throws FlavrError `BAD_ARGUMENT` for options that do not go together. */
function checkTogether({ backend, precision, computeCapabilities = [] }: BuildEngineOptions): void {
  const refuse = (message: string): never => {
    throw new FlavrError('BAD_ARGUMENT', message);
  };
  if (precision === 'int8') {
    refuse('int8 is for the CPU backend: its graph has unsigned activations, and TensorRT takes none. Use fp16.');
  }
  if (backend === 'tensorrt' && computeCapabilities.length > 0) {
    refuse('computeCapabilities is for tensorrt-rtx; TensorRT builds for the GPU it runs on.');
  }
}

/** The library that the backend takes here. Building asks less of the machine than running: RTX needs no GPU. */
function libraryFor(backend: BuildEngineOptions['backend'], report: ProbeReport): FoundLibrary {
  const library = report.libraries.find(({ family }) => isOf(backend, family));
  if (library?.parserProblem !== undefined) throw new FlavrError('BACKEND_UNAVAILABLE', library.parserProblem);
  if (library !== undefined) return library;
  const rejected = report.rejected.map(({ name, problem }) => `${name}: ${problem}`).join('; ');
  const product = backend === 'tensorrt' ? 'TensorRT' : 'TensorRT-RTX';
  throw new FlavrError(
    'BACKEND_UNAVAILABLE',
    `No usable ${product} library was found${rejected && ` (${rejected})`}. Run "flavr doctor" for the fix.`,
  );
}

function targetOf(options: BuildEngineOptions, report: ProbeReport): EngineTarget {
  const { backend, computeCapabilities = [], device = 0 } = options;
  if (backend === 'tensorrt-rtx') {
    return computeCapabilities.length === 0
      ? { kind: 'portable' }
      : { kind: 'capabilities', computeCapabilities: [...new Set(computeCapabilities)].sort() };
  }
  if ('problem' in report.driver) throw new FlavrError('BACKEND_UNAVAILABLE', report.driver.problem);
  const { devices, cudaVersion } = report.driver;
  const gpu = devices[device];
  if (gpu === undefined) {
    throw new FlavrError('BAD_ARGUMENT', `device must be one of the ${devices.length} GPUs here; got ${device}.`);
  }
  return { kind: 'device', name: gpu.name, computeCapability: gpu.computeCapability, cudaVersion };
}

/** Runs the native build, and turns the signal into its cancellation. */
async function runBuild(request: NativeBuildRequest, options: BuildEngineOptions) {
  const { onProgress, signal } = options;
  throwIfAborted(signal);
  let broken: { readonly cause: unknown } | undefined;
  const build = loadNative().build(request, (fraction, phase) => {
    if (broken !== undefined) return;
    try {
      onProgress?.({ stage: phase ? `build engine: ${phase}` : 'build engine', fraction });
    } catch (cause) {
      // What a callback throws is the call's failure, not the process's.
      broken = { cause };
      build.cancel();
    }
  });
  const heedNoMore = onAbort(signal, () => build.cancel());
  try {
    return await build.done;
  } catch (error) {
    if (broken !== undefined) throw broken.cause;
    throw signal?.aborted ? abortError(signal) : nativeError(error);
  } finally {
    heedNoMore();
  }
}

/** A compute capability as native code counts it: `8.9` is 89. */
const capabilityNumber = (capability: string): number => Math.round(Number(capability) * 10);

/**
 * Builds a TensorRT engine of a model for one frame size, off the JavaScript thread. TensorRT-RTX needs no GPU for it;
 * TensorRT builds on the GPU that is to run the engine, and takes minutes.
 *
 * Resolves with the engine in memory; `writeEngine` makes a file of it that `open({ engine })` takes.
 * @param model a bundled model's name, a path, or what `loadModel` gave.
 * @throws FlavrError `BAD_ARGUMENT`; as `loadModel`; `BACKEND_UNAVAILABLE` with the fix where the library or driver is
 * missing; `ENGINE_BUILD_FAILED` with the parser's node and reason, or the builder's; `ABORTED`.
 *
 * @example
 * const engine = await buildEngine('model.pth', { backend: 'tensorrt-rtx', width: 1280, height: 720 });
 * await writeEngine('model-720p.engine', engine);
 */
export async function buildEngine(model: string | Model, options: BuildEngineOptions): Promise<Engine> {
  checkOptions('buildEngine', options, BUILD_OPTIONS);
  return executeBuild(await givenModel(model), await prepareBuild(options), options);
}

/** What a build stands on: which library, for what. */
export interface BuildPlan {
  readonly library: FoundLibrary;
  readonly target: EngineTarget;
}

/** Checks the options and finds the library and the device: all of `buildEngine` that takes no time. */
export async function prepareBuild(options: BuildEngineOptions): Promise<BuildPlan> {
  checkTogether(options);
  throwIfAborted(options.signal);
  const report = await probe({ tensorrtPath: options.tensorrtPath });
  if ('problem' in report.addon) throw new FlavrError('BACKEND_UNAVAILABLE', report.addon.problem);
  return { library: libraryFor(options.backend, report), target: targetOf(options, report) };
}

/** The rest of `buildEngine`. */
export async function executeBuild(model: Model, plan: BuildPlan, options: BuildEngineOptions): Promise<Engine> {
  throwIfAborted(options.signal);
  options.onProgress?.({ stage: 'build graph', fraction: undefined });
  const graph = await buildGraphInSlices(model, engineGraphSpec(model, options));
  const built = await runBuild(
    {
      library: plan.library.path,
      device: options.device ?? 0,
      model: graph.bytes,
      workspaceBytes: options.workspaceBytes ?? 0,
      optimizationLevel: options.optimizationLevel ?? -1,
      allowTf32: options.precision === 'tf32',
      timingCache: options.timingCache ?? new Uint8Array(),
      computeCapabilities: [...new Set(options.computeCapabilities)].map(capabilityNumber),
    },
    options,
  );
  if (built.timingCache.length > 0) options.onTimingCache?.(built.timingCache);
  return { header: headerOf(model, graph, options, built, plan.target), plan: built.plan };
}

function headerOf(
  model: Model,
  graph: BuiltGraph,
  options: BuildEngineOptions,
  { family, version }: Pick<EngineHeader, 'family' | 'version'>,
  target: EngineTarget,
): EngineHeader {
  const { width, height, factor, batch, lowering, form } = graph.spec;
  return {
    model: { name: model.name, hash: model.hash, factor: modelFactor(model) },
    width,
    height,
    factor,
    inputs: modelInputs(model),
    batch,
    precision: options.precision ?? 'fp16',
    lowering,
    form: form === 'ring' ? 'ring' : 'framed',
    frameStride: graph.frameStride,
    estimate: graph.estimate,
    family,
    version,
    target,
    flavr: packageVersion(),
  };
}
