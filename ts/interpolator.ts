// Symbol.asyncDispose, for users whose own library does not have it.
/// <reference lib="esnext.disposable" preserve="true" />
import { checkOptions, type Kinds } from './arguments.js';
import type { Backend, BackendName, Session, SessionStats } from './backends/backend.js';
import { choosePrecision } from './backends/precisions.js';
import { selectBackend } from './backends/select.js';
import { Dispatcher, type DispatchLimits } from './dispatch.js';
import { builtModel } from './engine/built.js';
import { FlavrError, madeHere, throwIfAborted } from './errors.js';
import { passesFor, supportedFactors } from './factors.js';
import { checkFrame, type Frame, type FrameFormat, frameFormat } from './frame.js';
import { Lending } from './lending.js';
import { requestedModel } from './model/calibration.js';
import { type BuiltModel, type Model, modelFactor, modelInputs } from './model/config.js';
import {
  CALL_OPTIONS,
  type CallOptions,
  checkSource,
  type FrameSource,
  OPEN_OPTIONS,
  type OpenOptions,
  TIMED_OPTIONS,
  type TimedFrame,
  type TimedOptions,
  type TimedOutput,
} from './options.js';
import { type Pacing, RatePacing, UniformPacing } from './pacing.js';
import { exactly, rational } from './rational.js';
import { FrameStream, type StreamHost } from './stream.js';
import { Planner } from './windows.js';

/**
 * A model, ready to insert frames between frames of one size. One serves any number of calls and streams at a time: they
 * share the model's weights and take turns, window by window.
 *
 * @example
 * ```ts
 * import { Interpolator } from 'flavr';
 *
 * const flavr = await Interpolator.open({ width: 640, height: 360 });
 * const frames = await flavr.interpolate([first, second, third], 2);   // 5 frames; frames[0] === first
 * await flavr.dispose();
 * ```
 */
export class Interpolator {
  /** What runs the model. */
  readonly backend: BackendName;
  /** Layout of every frame, in and out. */
  readonly format: FrameFormat;
  /** Name of the bundled model, or of the file it came from. */
  readonly modelName: string;
  /** m: one pass of the model turns every frame into m. */
  readonly modelFactor: number;
  /** Every k that `interpolate`, `stream` and `streamTimed` take besides 1. */
  readonly factors: readonly number[];
  #passedOver: string | undefined;
  readonly #inputs: number;
  readonly #session: Session;
  readonly #host: StreamHost;
  readonly #streams = new Set<FrameStream>();
  #disposed: Promise<void> | undefined;

  private constructor(
    session: Session,
    model: Model | BuiltModel,
    format: FrameFormat,
    limits: DispatchLimits,
    options: OpenOptions,
  ) {
    // Without types, `new` can be called.
    if (!options) throw new FlavrError('BAD_ARGUMENT', 'An interpolator is opened: await Interpolator.open(options).');
    this.#session = session;
    this.backend = session.backend;
    this.format = format;
    this.modelName = model.name;
    this.modelFactor = modelFactor(model);
    this.factors = supportedFactors(this.modelFactor);
    this.#inputs = modelInputs(model);
    this.#host = {
      session,
      dispatcher: new Dispatcher(session, limits),
      lending: new Lending((frame) => session.release(frame)),
      format,
      copyInput: options.copyInput ?? false,
      onProgress: options.onProgress,
      // As many as the session can hold, and a batch that is being gathered meanwhile.
      windowsAhead: limits.batch * (limits.inFlight + 1),
    };
  }

  /**
   * Loads a model and makes it ready for frames of one size.
   *
   * @throws FlavrError `BAD_ARGUMENT`; `MODEL_NOT_FOUND`, `CHECKPOINT_INVALID`, `CHECKPOINT_UNSAFE`, `GRAPH_INVALID` for the
   * model; `CALIBRATION_INVALID`; `UNSUPPORTED_FACTOR` for `k`; `BACKEND_UNAVAILABLE`, `PEER_MISSING` if nothing here can run
   * it; `OUT_OF_MEMORY` with the numbers and the largest size that fits; `INFERENCE_FAILED` if what runs it fails at once; on a
   * GPU `ENGINE_BUILD_FAILED`, `ENGINE_INCOMPATIBLE`, `CACHE_LOCKED`, `DEVICE_LOST`; `ABORTED`.
   * @example
   * ```ts
   * await using flavr = await Interpolator.open({ model: 'FLAVR_8x.pth', width: 1280, height: 720, backend: 'cpu', threads: 8 });
   * ```
   */
  static async open(options: OpenOptions): Promise<Interpolator> {
    checkOptions('Interpolator.open', options, OPEN_OPTIONS);
    throwIfAborted(options.signal);
    if (options.engine !== undefined) return Interpolator.#openEngine(options.engine, options);
    const { backend, passedOver } = await selectBackend(options.backend ?? 'auto');
    choosePrecision(backend.name, options.precision);
    const model = await requestedModel(options);
    // Before a session is open that nobody would close if `onNotice` throws.
    if (passedOver !== undefined) {
      const where = backend.name === 'cpu' ? 'the CPU: no GPU backend' : `${backend.name}: no backend before it`;
      const sentence = `The model runs on ${where} can be used here ("flavr doctor" says why).`;
      (options.onNotice ?? warnOnce)(sentence);
    }
    const interpolator = await Interpolator.openOn(backend, model, options);
    interpolator.#passedOver = passedOver;
    return interpolator;
  }

  static async #openEngine(path: string, options: OpenOptions): Promise<Interpolator> {
    if (options.model !== undefined || options.calibration !== undefined) {
      throw new FlavrError(
        'BAD_ARGUMENT',
        'open takes either engine, or model and calibration: an engine has its model built in.',
      );
    }
    const { model, backend: name, batch } = await builtModel(path, options);
    const { backend } = await selectBackend(name);
    return Interpolator.openOn(backend, model, { ...options, batch });
  }

  /** The same on a backend and with a model that were chosen elsewhere. @internal */
  static async openOn(backend: Backend, model: Model | BuiltModel, options: OpenOptions): Promise<Interpolator> {
    checkOptions('Interpolator.open', options, OPEN_OPTIONS);
    throwIfAborted(options.signal);
    const { width, height, batch = 1, batchWaitMs = 0, inFlight = 2, maxActive = 16, maxQueued = 1024 } = options;
    const format = frameFormat({ width, height, pixel: options.format });
    const limits: DispatchLimits = { batch, batchWaitMs, inFlight, maxActive, maxQueued };
    const factor = modelFactor(model);
    const session = await backend.openSession({
      ...limits,
      model,
      format,
      device: options.device ?? 0,
      threads: options.threads,
      factors: [...new Set([options.k ?? factor].flat().flatMap((k) => passesFor(factor, k)))],
      precision: choosePrecision(backend.name, options.precision),
      lowering: options.lowering,
      cacheDir: options.cacheDir,
      graphs: options.graphs,
      onProgress: options.onProgress,
      onNotice: options.onNotice ?? warnOnce,
      signal: options.signal,
    });
    return new Interpolator(session, model, format, limits, options);
  }

  /**
   * Multiplies the frames of a clip: N frames give (N-1) * k + 1. The frames handed in come out as the same objects, at
   * every k-th place, and must not be written, transferred or reused before the promise has settled. With `copyInput` they
   * may, at once, and their copies come out.
   *
   * @param frames each `width * height * 3` bytes, in order of time.
   * @param k one of `factors`, or 1.
   * @throws FlavrError `BAD_FRAME`, `BAD_ARGUMENT`, `UNSUPPORTED_FACTOR`, `NUMERIC_FAILURE`, `INFERENCE_FAILED` (and from then
   * on: open another one), `BUSY`, `ABORTED`, `DISPOSED`; on a GPU `DEVICE_LOST`; for a factor that `open` did not prepare,
   * what that may throw.
   * @example
   * ```ts
   * // Frame 2 begins a new shot: nothing is interpolated between frames 1 and 2.
   * const slow = await flavr.interpolate(frames, 4, { cuts: [2], signal: AbortSignal.timeout(60_000) });
   * ```
   */
  async interpolate(frames: readonly Frame[], k: number, options: CallOptions = {}): Promise<Frame[]> {
    if (!Array.isArray(frames)) throw new FlavrError('BAD_ARGUMENT', 'interpolate takes an array of frames.');
    // Before this function returns to its caller, who may change the array from then on, and with copyInput the frames.
    const taken = this.#host.copyInput ? frames.map((frame, index) => this.#copy(frame, index)) : [...frames];
    const host = { ...this.#host, copyInput: false };
    const results: Frame[] = [];
    const call = { name: 'interpolate', options, kinds: CALL_OPTIONS };
    for await (const { data } of this.#run(atIndices(taken), () => new UniformPacing(k), call, host)) {
      results.push(data);
    }
    return results;
  }

  /**
   * The same for frames that come one by one. Reads a few frames ahead, never more, and waits while nobody takes the
   * results. Leaving the loop early ends the source too. A frame handed in is the caller's again once it has come out.
   *
   * @throws as `interpolate`, and what the source throws, once the frames that do not wait for its next one have come out.
   * @example
   * ```ts
   * for await (const frame of flavr.stream(camera, 2)) {
   *   await screen.show(frame);
   *   flavr.release(frame);   // its memory serves for one of the next frames
   * }
   * ```
   */
  async *stream(
    source: FrameSource<Frame>,
    k: number,
    options: CallOptions = {},
  ): AsyncGenerator<Frame, void, undefined> {
    const call = { name: 'stream', options, kinds: CALL_OPTIONS };
    for await (const { data } of this.#run(atIndices(source), () => new UniformPacing(k), call)) yield data;
  }

  /**
   * The same for frames with times, which may be irregular: either k times as many, evenly spaced between their
   * neighbours, or at a target rate, where every output is the nearest instant that a factor gives.
   *
   * @throws as `stream`; `BAD_ARGUMENT` for times that do not increase.
   * @example
   * ```ts
   * const source = [{ data: first, time: rational(0) }, { data: second, time: rational(1, 24), duration: rational(1, 24) }];
   * for await (const { data, time, original } of flavr.streamTimed(source, { fps: '60000/1001' })) {
   *   console.log(toNumber(time), original);
   * }
   * ```
   */
  async *streamTimed(
    source: FrameSource<TimedFrame>,
    options: TimedOptions,
  ): AsyncGenerator<TimedOutput, void, undefined> {
    const call = { name: 'streamTimed', options, kinds: TIMED_OPTIONS };
    yield* this.#run(source, () => this.#pacing(options), call);
  }

  /**
   * Memory for one frame, of unknown content. On a GPU the device reads such a frame in place; any other is copied once.
   * Goes back by `release`, or in its own time by garbage collection.
   *
   * @throws FlavrError `DISPOSED`.
   */
  allocFrame(): Frame {
    this.#checkOpen();
    return this.#session.allocFrame();
  }

  /**
   * Gives back the memory of a frame that came out, or of one from `allocFrame`. It must not be touched after that.
   * A frame that came out several times (at a cut, or at a target rate) is to be released as often. No effect on others.
   */
  release(frame: Frame): void {
    this.#host.lending.release(frame);
  }

  /** With `backend: 'auto'`, why the backends before this one cannot run here and what would mend it; else undefined. */
  get passedOver(): string | undefined {
    return this.#passedOver;
  }

  /** What has been done so far and what is held. */
  stats(): SessionStats {
    return this.#session.stats();
  }

  /**
   * Ends all calls and streams with `DISPOSED` and frees everything but the frames that came out. May be called more than
   * once; never rejects. A worker thread awaits it before it ends: of a thread that was terminated the model's process ends
   * too, but Node leaves its entry in the system's table until the program ends.
   */
  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #dispose(): Promise<void> {
    const stopped = [...this.#streams].map((stream) => stream.stop(disposedError()));
    await this.#session.dispose();
    await Promise.all(stopped);
  }

  #checkOpen(): void {
    if (this.#disposed) throw disposedError();
  }

  #copy(frame: Frame, index: number): Frame {
    checkFrame(frame, this.format, index);
    const copy = this.allocFrame();
    copy.set(frame);
    return copy;
  }

  #pacing(options: TimedOptions): Pacing {
    const { k, fps } = options;
    if ((k === undefined) === (fps === undefined)) {
      throw new FlavrError('BAD_ARGUMENT', 'streamTimed takes either k, a factor, or fps, a target rate.');
    }
    if (k !== undefined) return new UniformPacing(k);
    return new RatePacing(exactly(fps!, 'fps'), this.factors);
  }

  async *#run(
    source: FrameSource<TimedFrame>,
    pacing: () => Pacing,
    { name, options, kinds }: Call,
    host = this.#host,
  ): AsyncGenerator<TimedOutput, void, undefined> {
    this.#checkOpen();
    checkSource('source', source);
    checkOptions(name, options, kinds);
    const planner = new Planner(this.#inputs, this.modelFactor, pacing());
    const stream = new FrameStream(host, source, planner, options);
    this.#streams.add(stream);
    try {
      yield* stream.outputs();
    } catch (error) {
      throw madeHere(error);
    } finally {
      void stream.stop(disposedError()).then(() => this.#streams.delete(stream));
    }
  }
}

/** What was called, and how its options are checked. */
interface Call {
  readonly name: string;
  readonly options: CallOptions;
  readonly kinds: Kinds<CallOptions>;
}

const warned = new Set<string>();

/** A service that opens many sessions is told a thing once. */
function warnOnce(sentence: string): void {
  if (warned.has(sentence)) return;
  warned.add(sentence);
  process.emitWarning(sentence, { code: 'FLAVR_BACKEND' });
}

const disposedError = () => new FlavrError('DISPOSED', 'The interpolator was disposed of; open another one.');

/** Frame n at n seconds: any times will do where none are asked for. */
async function* atIndices(source: FrameSource<Frame>): AsyncGenerator<TimedFrame, void, undefined> {
  checkSource('source', source);
  let index = 0;
  for await (const data of source) yield { data, time: rational(index++) };
}
