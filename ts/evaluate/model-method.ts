import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { CALLBACK, checkArgument, checkOptions, type Kinds, PATH, TEXT } from '../arguments.js';
import type { Backend, BackendName, Progress } from '../backends/backend.js';
import { checkCpuMemory, estimateCpuMemory } from '../backends/cpu-memory.js';
import { CPU_LOWERING } from '../backends/cpu-options.js';
import { choosePrecision } from '../backends/precisions.js';
import { selectBackend } from '../backends/select.js';
import { FlavrError } from '../errors.js';
import { passesFor } from '../factors.js';
import { frameFormat } from '../frame.js';
import { Interpolator } from '../interpolator.js';
import { type Calibration, encodeCalibration, requestedModel } from '../model/calibration.js';
import { MODEL, type Model, modelFactor, modelInputs } from '../model/config.js';
import { planGraph, takesBlocks } from '../model/graph/build.js';
import type { Precision, Tap } from '../model/graph-spec.js';
import { RUN_OPTIONS } from '../options.js';
import { peerProblem } from '../peers.js';
import { type FloatTensor, GraphRunner } from './graph-runner.js';
import type { Method } from './methods.js';
import type { Picture } from './picture.js';
import type { BytePicture } from './prepare.js';
import { Recent } from './recent.js';

/** What {@link modelMethod} takes. */
export interface ModelMethodOptions {
  /** What the report calls it. Default: the model's name, and the backend's where that is not the CPU. */
  readonly name?: string | undefined;
  /** Default `auto`. */
  readonly backend?: 'auto' | BackendName | undefined;
  /** Default fp32 on the CPU, fp16 elsewhere. */
  readonly precision?: Precision | 'tf32' | undefined;
  /** With precision int8; see `OpenOptions`. */
  readonly calibration?: string | Calibration | undefined;
  /** Of the CPU backend. Default: all cores. */
  readonly threads?: number | undefined;
  /** Number of the GPU. Default 0. */
  readonly device?: number | undefined;
  /** Where engines are kept. Default: the user's cache folder. */
  readonly cacheDir?: string | undefined;
  /** Told of slow steps before the first window of a size can run, such as an engine's build. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told what the caller should know but did not ask; see `OpenOptions`. */
  readonly onNotice?: ((sentence: string) => void) | undefined;
}

const METHOD_OPTIONS: Kinds<ModelMethodOptions> = {
  name: TEXT,
  ...RUN_OPTIONS,
  cacheDir: PATH,
  onProgress: CALLBACK,
  onNotice: CALLBACK,
};

/** A model made ready for one size and factor. */
interface Painter {
  paint(window: readonly BytePicture[]): Promise<readonly Picture[]>;
  close(): Promise<void>;
}

// Sets whose clips differ in size come clip by clip; each open painter holds the weights once more.
const MOST_OPEN = 2;

/**
 * A model as a method. On the CPU its output is measured as it is, neither clamped nor rounded, as the official code
 * measures; other backends give bytes. A factor that takes several passes is made of bytes everywhere.
 * @param model a bundled model's name, a path, or what `loadModel` gave.
 * @throws FlavrError as `loadModel`; `BAD_ARGUMENT` for a precision that the backend does not have; `BACKEND_UNAVAILABLE`, `PEER_MISSING` if nothing here can run it.
 */
export async function modelMethod(model: string | Model, options: ModelMethodOptions = {}): Promise<Method> {
  checkArgument('model', model, MODEL);
  checkOptions('modelMethod', options, METHOD_OPTIONS);
  const { backend } = await selectBackend(options.backend ?? 'auto');
  const problem = await backend.unavailable();
  if (problem !== undefined) throw new FlavrError('BACKEND_UNAVAILABLE', problem);
  choosePrecision(backend.name, options.precision);
  return modelMethodOn(backend, await requestedModel({ ...options, model }), options);
}

/** The same on a backend that was chosen elsewhere. @internal */
export const modelMethodOn = (backend: Backend, model: Model, options: ModelMethodOptions): Method =>
  new ModelMethod(model, backend, options);

class ModelMethod implements Method {
  readonly name: string;
  readonly identity: string;
  readonly inputs: number;
  readonly #model: Model;
  readonly #backend: Backend;
  readonly #options: Omit<ModelMethodOptions, 'name'> & { readonly precision: Precision | 'tf32' };
  readonly #painters = new Recent<Painter>(MOST_OPEN);

  constructor(model: Model, backend: Backend, { name, ...options }: ModelMethodOptions) {
    const precision = choosePrecision(backend.name, options.precision);
    this.name = name ?? (backend.name === 'cpu' ? model.name : `${model.name}@${backend.name}`);
    const arithmetic = precision === 'int8' ? `int8 ${calibrationDigest(model)}` : precision;
    this.identity = `${model.hash} ${backend.name} ${arithmetic}`;
    this.inputs = modelInputs(model);
    this.#model = model;
    this.#backend = backend;
    this.#options = { ...options, precision };
  }

  #passes(factor: number): number {
    return passesFor(modelFactor(this.#model), factor).length;
  }

  output(factor: number): string {
    const passes = this.#passes(factor);
    if (passes > 1) return `8-bit, ${passes} passes`;
    return this.#backend.name === 'cpu' ? 'unrounded' : '8-bit';
  }

  async interpolate(window: readonly BytePicture[], factor: number): Promise<readonly Picture[]> {
    const { width, height } = window[0]!;
    const key = `${width}x${height} k=${factor}`;
    const painter = await this.#painters.get(key, () => {
      if (this.#passes(factor) > 1) return this.#openPasses(width, height, factor);
      return this.#backend.name === 'cpu'
        ? this.#openGraph(width, height, factor)
        : this.#openSession(width, height, factor);
    });
    try {
      return await painter.paint(window);
    } catch (error) {
      // Its process or device may be gone: the next sample must not fail for this one's sake.
      await this.#painters.drop(key);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#painters.close();
  }

  async #openGraph(width: number, height: number, factor: number): Promise<Painter> {
    const { precision, threads = availableParallelism() } = this.#options;
    const runner = await openRunner(this.#model, { width, height, factor, precision, threads });
    return {
      paint: async (window) => pictures((await runner.run(window.map(({ data }) => data))).interpolated!),
      close: () => runner.close(),
    };
  }

  async #openSession(width: number, height: number, factor: number): Promise<Painter> {
    const session = await this.#backend.openSession({
      ...this.#options,
      model: this.#model,
      format: frameFormat({ width, height }),
      factors: [factor],
      batch: 1,
      inFlight: 1,
    });
    const lane = session.openLane(this.inputs);
    return {
      async paint(window) {
        const slots = window.map(({ data }) => lane.upload(data));
        try {
          const [result] = await session.infer({ factor, windows: [{ slots }] });
          return result!.frames.map((data) => ({ data, width, height }));
        } finally {
          for (const slot of slots) lane.free(slot);
        }
      },
      close: () => session.dispose(),
    };
  }

  /** The window as a clip, of whose frames those of the middle gap are taken. */
  async #openPasses(width: number, height: number, factor: number): Promise<Painter> {
    const flavr = await Interpolator.openOn(this.#backend, this.#model, { ...this.#options, width, height, k: factor });
    const from = (this.inputs / 2 - 1) * factor + 1;
    return {
      async paint(window) {
        const clip = window.map(({ data }) => data);
        const frames = await flavr.interpolate(clip, factor);
        return frames.slice(from, from + factor - 1).map((data) => ({ data, width, height }));
      },
      close: () => flavr.dispose(),
    };
  }
}

/** Two calibrations of a model are two methods. */
function calibrationDigest(model: Model): string {
  if (model.kind === 'graph' || !model.calibration) return 'none';
  return createHash('sha256').update(encodeCalibration(model.calibration)).digest('hex');
}

export interface RunnerOptions {
  readonly width: number;
  readonly height: number;
  readonly factor: number;
  readonly precision: Precision | 'tf32';
  readonly threads: number;
  readonly taps?: readonly Tap[];
}

/**
 * A model on ONNX Runtime whose output is not rounded, and whose inner values can be had as outputs too.
 * @throws FlavrError `OUT_OF_MEMORY` before memory is taken; `BAD_ARGUMENT` for tf32.
 */
export async function openRunner(model: Model, options: RunnerOptions): Promise<GraphRunner> {
  const { threads, taps, ...spec } = options;
  const precision = choosePrecision('cpu', options.precision) as Precision;
  const problem = peerProblem('onnxruntime-node');
  if (problem !== undefined) throw new FlavrError('PEER_MISSING', problem);
  // The winograd lowering has no steps of its own to tap where it stacks them.
  const lowering = taps ? '2d' : CPU_LOWERING;
  const plan = (block: number) => {
    const form = { precision, lowering, form: 'unrounded', block, fed: true } as const;
    const graph = planGraph(model, { ...spec, ...form }, taps);
    checkCpuMemory(estimateCpuMemory(model, graph), frameFormat(spec), process.availableMemory());
    return graph;
  };
  return GraphRunner.open(plan, { inBlocks: takesBlocks(model, { lowering, precision }), threads });
}

/** Planes [1, k-1, 3, H, W] as interleaved pictures. */
function pictures({ data, dims }: FloatTensor): Picture[] {
  const [, count, , height, width] = dims as [number, number, number, number, number];
  const pixels = height * width;
  return Array.from({ length: count }, (_, frame) => {
    const picture = new Float32Array(pixels * 3);
    for (let channel = 0; channel < 3; channel++) {
      const plane = (frame * 3 + channel) * pixels;
      for (let i = 0; i < pixels; i++) picture[i * 3 + channel] = data[plane + i]!;
    }
    return { data: picture, width, height };
  });
}
