import { cachedEngine, EngineCache } from '../engine/cache.js';
import type { EngineHeader } from '../engine/file.js';
import { type FoundLibrary, isOf, probe, probeBackend, rtxTargets } from '../engine/probe.js';
import { FlavrError, throwIfAborted } from '../errors.js';
import { frameBytes } from '../frame.js';
import { type BuiltModel, modelFactor, modelInputs } from '../model/config.js';
import { loadNative, type NativeAddon, type NativePlan, type NativeSession, nativeError } from '../native.js';
import type { Backend, BackendName, SessionOptions } from './backend.js';
import { TensorRtSession } from './tensorrt-session.js';

export type GpuBackendName = Exclude<BackendName, 'cpu'>;

/** An engine that a session can open, and what to do if the library will not have it. */
export interface SessionEngine extends NativePlan {
  /** Path of the library that runs it. */
  readonly library: string;
  /** Removes it from where it came, so that the next time it is built anew; absent if it was just built. */
  readonly discard?: (() => Promise<void>) | undefined;
}

/** Where the backend's parts come from; tests put the simulated device here. */
export interface TensorRtParts {
  addon(): NativeAddon;
  unavailable(): Promise<string | undefined>;
  engine(options: SessionOptions, factor: number): Promise<SessionEngine>;
}

// Frames in the caller's hands while the pipeline is full, twice over: one set being shown, one being made. Pinned memory
// is the whole machine's, so there is a limit; beyond it frames come in ordinary memory, at the price of one copy.
const LENT_ROUNDS = 2;
const LEAST_LENT = 16;
const MOST_LENT_BYTES = 512 * 2 ** 20;

/** The backend on TensorRT or TensorRT-RTX, whose sessions live in the native addon. */
export function tensorRtBackend(name: GpuBackendName, parts: TensorRtParts = tensorRtParts(name)): Backend {
  return {
    name,
    unavailable: () => parts.unavailable(),
    async openSession(asked) {
      // Memory is added up from an engine: with nothing to prepare, that of a whole pass.
      const factors = asked.factors.length > 0 ? asked.factors : [modelFactor(asked.model)];
      const options = { ...asked, factors };
      const { signal } = options;
      throwIfAborted(signal);
      const problem = await parts.unavailable();
      if (problem !== undefined) throw new FlavrError('BACKEND_UNAVAILABLE', problem);
      const native = await openNative(name, parts, options);
      const session = new TensorRtSession(name, parts.addon(), native, options.format, factors, (factor, each) =>
        parts.engine({ ...options, ...each }, factor),
      );
      if (!signal?.aborted) return session;
      await session.dispose();
      throwIfAborted(signal);
      return session;
    },
  };
}

async function enginesFor(parts: TensorRtParts, options: SessionOptions): Promise<SessionEngine[]> {
  const engines: SessionEngine[] = [];
  // One after another: a build takes the whole device.
  for (const factor of options.factors) engines.push(await parts.engine(options, factor));
  throwIfAborted(options.signal);
  return engines;
}

async function openNative(name: GpuBackendName, parts: TensorRtParts, options: SessionOptions): Promise<NativeSession> {
  const engines = await enginesFor(parts, options);
  try {
    return await openWith(name, parts, options, engines);
  } catch (error) {
    const stored = engines.filter(({ discard }) => discard !== undefined);
    if (nativeError(error).code !== 'ENGINE_INCOMPATIBLE' || stored.length === 0) throw nativeError(error);
    // A file that passed its checksum and does not load, such as one of another build of the library.
    for (const { discard } of stored) await discard!();
  }
  return openWith(name, parts, options, await enginesFor(parts, options)).catch((error) => {
    throw nativeError(error);
  });
}

async function openWith(
  family: GpuBackendName,
  parts: TensorRtParts,
  { model, format, batch, inFlight, factors, device = 0, graphs = 'auto' }: SessionOptions,
  plans: readonly SessionEngine[],
): Promise<NativeSession> {
  const windows = batch * (inFlight + 1);
  const lent = Math.min(LENT_ROUNDS * windows * Math.max(...factors), Math.floor(MOST_LENT_BYTES / frameBytes(format)));
  return parts.addon().openSession({
    family,
    library: plans[0]!.library,
    device,
    plans,
    width: format.width,
    height: format.height,
    stride: format.stride,
    batch,
    inFlight,
    // Room for the lane of one video; others take theirs when they come.
    ringFrames: 2 * modelInputs(model) + 2 * windows + 2,
    lendableFrames: Math.max(LEAST_LENT, lent),
    graphs: graphs === 'auto',
  });
}

/** The real ones: what the machine has, and engines from the cache or from a file that the caller named. */
function tensorRtParts(name: GpuBackendName): TensorRtParts {
  return {
    addon: loadNative,
    unavailable: () => probeBackend(name),
    async engine(
      { model, format, batch, precision, lowering, device, cacheDir, onProgress, onNotice, signal },
      factor,
    ) {
      const { driver, libraries: all } = await probe();
      const libraries = all.filter(({ family }) => isOf(name, family));
      if (model.kind === 'engine') return builtEngine(model, factor, libraries);
      const { width, height } = format;
      const gpu = 'devices' in driver ? driver.devices[device ?? 0] : undefined;
      const computeCapabilities = name === 'tensorrt-rtx' ? rtxTargets(gpu) : [];
      const options = {
        ...{ backend: name, width, height, factor, batch, precision, lowering, device, computeCapabilities },
        ...{ onProgress, onNotice, signal },
      };
      const { engine, kernelCache, built } = await cachedEngine(model, options, cacheDir);
      const { cacheKey } = engine.header;
      const stored = !built && cacheKey !== undefined;
      return {
        plan: engine.plan,
        library: libraryFor(engine.header, libraries),
        kernelCache: name === 'tensorrt-rtx' ? kernelCache : '',
        discard: stored ? () => new EngineCache(cacheDir).discard(cacheKey) : undefined,
      };
    },
  };
}

/** Engines, unlike libraries, fit one exact version. */
function libraryFor({ family, version }: EngineHeader, libraries: readonly FoundLibrary[]): string {
  const library = libraries.find((found) => found.family === family && found.version === version);
  if (library) return library.path;
  const here = libraries.map((found) => `${found.family} ${found.version}`).join(', ') || 'none';
  throw new FlavrError(
    'ENGINE_INCOMPATIBLE',
    `The engine needs ${family} ${version}; found here: ${here}. Build it again, or name that library in FLAVR_TENSORRT_PATH.`,
  );
}

function builtEngine({ engine }: BuiltModel, factor: number, libraries: readonly FoundLibrary[]): SessionEngine {
  if (factor !== engine.header.factor) {
    throw new FlavrError(
      'UNSUPPORTED_FACTOR',
      `The engine was built for factor ${engine.header.factor}; factor ${factor} needs another. Open the model instead.`,
    );
  }
  return { plan: engine.plan, library: libraryFor(engine.header, libraries), kernelCache: '' };
}
