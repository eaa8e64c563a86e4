import { checkArgument, checkOptions, PATH } from '../arguments.js';
import { readEngineHeader } from '../engine/file.js';
import { FlavrError, throwIfAborted } from '../errors.js';
import { Interpolator } from '../interpolator.js';
import { requestedModel } from '../model/calibration.js';
import { modelFactor } from '../model/config.js';
import type { OpenOptions, TimedFrame } from '../options.js';
import { add, multiply, type Rational, rational, subtract, ZERO } from '../rational.js';
import { AlphaTrack } from './alpha.js';
import { CutDetector, DEFAULT_SCENE_THRESHOLD } from './cuts.js';
import { type InterpolateVideoOptions, VIDEO_OPTIONS, type VideoSummary } from './options.js';
import { sameFile } from './output-file.js';
import { expectedFrames, outputClock, requestedSteps, type Steps, sourceOptions } from './plan.js';
import { ProgressMeter } from './progress-meter.js';
import { openSink } from './sink.js';
import { openSource } from './source.js';
import { StageClock } from './stage-clock.js';
import { summarizeTimings, type VideoClocks } from './timings.js';
import type { SinkOptions, VideoSink, VideoSource } from './types.js';
import { yieldToModel } from './yield-to-model.js';

/**
 * Writes a smoother (or slower) copy of a video: reads `input` (a video file, a GIF or a folder of images), inserts frames,
 * and writes `output`, whose extension says what it becomes. Decoding, the model and encoding run side by side; memory does
 * not grow with the length. Sound, subtitles, chapters and metadata of a video file are kept.
 *
 * Of a damaged or truncated file, what FFmpeg can decode is taken, as players do, and a warning says what is missing.
 *
 * With `k`, N frames become exactly (N-1)*k + 1 in the same time. Where a new shot begins nothing is interpolated. An
 * alpha channel is blended linearly, since the model makes colours only. The output has its name only when it is complete;
 * after any failure nothing of it is left.
 *
 * @throws FlavrError `BAD_ARGUMENT` (options; output equal to input), `VIDEO_UNREADABLE` and `VIDEO_UNSUPPORTED` as
 * `openSource`, `OUTPUT_EXISTS`, `VIDEO_UNWRITABLE`, `UNSUPPORTED_FACTOR`, what `Interpolator.open` throws, and `ABORTED`.
 * @example
 * ```ts
 * import { interpolateVideo } from 'flavr/video';
 *
 * const { framesIn, framesOut, cuts } = await interpolateVideo('holiday.mp4', 'holiday-60.mp4', { fps: 60 });
 * ```
 */
export async function interpolateVideo(
  input: string,
  output: string,
  options: InterpolateVideoOptions = {},
): Promise<VideoSummary> {
  checkArgument('input', input, PATH);
  checkArgument('output', output, PATH);
  checkOptions('interpolateVideo', options, VIDEO_OPTIONS);
  const job = new Job(input, output, options);
  try {
    return await job.run();
  } finally {
    await job.close();
  }
}

/** What makes the frames, as `Interpolator.open` takes it, and the factor of one of its passes. */
interface Network {
  readonly named: Pick<OpenOptions, 'model' | 'calibration' | 'engine'>;
  readonly factor: number;
}

/** Reads a model, or no more of an engine than what says its factor. */
async function requestedNetwork(options: InterpolateVideoOptions, k: number | undefined): Promise<Network> {
  const { model, calibration, engine, precision } = options;
  if (engine !== undefined) {
    const { factor } = await readEngineHeader(engine);
    return { named: { engine, model, calibration }, factor };
  }
  const loaded = await requestedModel({ model, k, calibration, precision });
  return { named: { model: loaded }, factor: modelFactor(loaded) };
}

class Job {
  readonly #input: string;
  readonly #output: string;
  readonly #options: InterpolateVideoOptions;
  readonly #started = performance.now();
  readonly #warnings = new Set<string>();
  #source: VideoSource | undefined;
  #sink: VideoSink | undefined;
  #flavr: Interpolator | undefined;
  #framesIn = 0;
  #framesOut = 0;
  readonly #cuts: Rational[] = [];
  readonly #clocks: VideoClocks = { read: new StageClock(), cuts: new StageClock(), write: new StageClock() };

  constructor(input: string, output: string, options: InterpolateVideoOptions) {
    this.#input = input;
    this.#output = output;
    this.#options = options;
  }

  async run(): Promise<VideoSummary> {
    const options = this.#options;
    const { sceneThreshold = DEFAULT_SCENE_THRESHOLD } = options;
    const requested = requestedSteps(options);
    const reading = sourceOptions(options);
    throwIfAborted(options.signal);
    if (await sameFile(this.#input, this.#output)) {
      throw new FlavrError('BAD_ARGUMENT', `The output ${this.#output} is the input itself. Choose another name.`);
    }
    const source = await openSource(this.#input, { ...reading, clock: this.#clocks.read });
    this.#source = source;
    // Making a model ready may take minutes, so everything else that can be refused is refused first.
    const network = await requestedNetwork(options, requested?.k);
    const steps = requested ?? { k: network.factor, fps: undefined, slow: 1 };
    const sink = await openSink(this.#output, this.#sinkOptions(source, steps));
    this.#sink = sink;
    const flavr = await this.#openInterpolator(network.named, steps.k);
    if (options.yieldToModel && flavr.backend === 'cpu') yieldToModel();
    const pumping = performance.now();
    const duration = await this.#pump(source, flavr, sink, { steps, sceneThreshold });
    await sink.finish();
    this.#collectWarnings();
    const finished = performance.now();
    const { windows, inferMs: modelMs } = flavr.stats();
    const [framesIn, framesOut] = [this.#framesIn, this.#framesOut];
    return {
      input: this.#input,
      output: this.#output,
      width: sink.info.width,
      height: sink.info.height,
      framesIn,
      framesOut,
      duration: multiply(duration, rational(steps.slow)),
      cuts: this.#cuts,
      warnings: [...this.#warnings],
      model: flavr.modelName,
      backend: flavr.backend,
      windows,
      seconds: (finished - this.#started) / 1000,
      timings: summarizeTimings(this.#clocks, {
        ...{ framesIn, framesOut, windows, modelMs },
        totalMs: finished - pumping,
      }),
    };
  }

  /** Takes all frames through the model into the sink; how long they last together, before slow motion. */
  async #pump(
    source: VideoSource,
    flavr: Interpolator,
    sink: VideoSink,
    { steps, sceneThreshold }: { steps: Steps; sceneThreshold: number | 'off' },
  ): Promise<Rational> {
    const { info } = source;
    const { signal, onProgress } = this.#options;
    const alpha = info.alpha ? new AlphaTrack() : undefined;
    const detector = sceneThreshold === 'off' ? undefined : new CutDetector(info.width, info.height, sceneThreshold);
    const meter = new ProgressMeter(onProgress, expectedFrames(source, steps));
    const pace = steps.fps ? { fps: steps.fps } : { k: steps.k! };
    let length = ZERO;
    for await (const frame of flavr.streamTimed(this.#sourceFrames(source, flavr, detector, alpha), {
      ...pace,
      signal,
    })) {
      const { data, time, duration, position } = frame;
      const written = await sink.write({ data, alpha: alpha?.at(position), time, duration });
      flavr.release(data);
      length = add(length, duration);
      if (written) this.#framesOut += 1;
      meter.update(this.#framesIn, this.#framesOut);
      this.#collectWarnings();
    }
    meter.update(this.#framesIn, this.#framesOut, true);
    return length;
  }

  async #openInterpolator(named: Network['named'], k: number | undefined): Promise<Interpolator> {
    const { backend, device, precision, threads, signal, onPrepare } = this.#options;
    const { width, height } = this.#source!.info;
    const run = { ...named, backend, device, precision, threads };
    const onNotice = (sentence: string) => this.#warn(sentence);
    this.#flavr = await Interpolator.open({ ...run, width, height, k, signal, onProgress: onPrepare, onNotice });
    return this.#flavr;
  }

  #sinkOptions({ info, range }: VideoSource, steps: Steps): SinkOptions {
    const {
      audio = 'drop',
      codec,
      crf,
      encoderOptions = {},
      overwrite = false,
      inputFps,
      threads,
      signal,
    } = this.#options;
    const recounted = inputFps !== undefined && info.kind === 'video';
    if (recounted) this.#warn('Sound, subtitles and chapters are left out: they have no place in time under inputFps.');
    return {
      info,
      ...outputClock(info, steps),
      copyFrom: info.kind === 'video' && !recounted ? this.#input : undefined,
      range,
      slow: steps.slow,
      audio: this.#options.slow === undefined ? 'keep' : audio,
      codec,
      crf,
      encoderOptions,
      overwrite,
      threads,
      signal,
      clock: this.#clocks.write,
    };
  }

  async *#sourceFrames(
    source: VideoSource,
    flavr: Interpolator,
    detector: CutDetector | undefined,
    alpha: AlphaTrack | undefined,
  ): AsyncGenerator<TimedFrame, void, undefined> {
    // Memory of the session's is read by the device in place, and serves again once its frame is written.
    for await (const frame of source.frames(() => flavr.allocFrame())) {
      const cut = detector ? this.#clocks.cuts.timeSync('detectCuts', () => detector.next(frame.data).cut) : false;
      if (cut) this.#cuts.push(subtract(frame.time, source.origin));
      if (alpha) alpha.push(frame.alpha!);
      this.#framesIn += 1;
      yield { data: frame.data, time: frame.time, duration: frame.duration, cut };
    }
  }

  #collectWarnings(): void {
    for (const warning of [...this.#source!.warnings, ...this.#sink!.warnings]) this.#warn(warning);
  }

  #warn(warning: string): void {
    if (this.#warnings.has(warning)) return;
    this.#warnings.add(warning);
    this.#options.onWarning?.(warning);
  }

  /** Removes what is unfinished and frees everything, once `run` has settled. */
  async close(): Promise<void> {
    // Nothing that fails here must hide why the job failed.
    await Promise.allSettled([this.#sink?.abort(), this.#source?.close()]);
    const disposed = this.#flavr?.dispose().catch(() => {});
    // A window that is being computed cannot be stopped; whoever aborts wants to go on, not to wait for it.
    if (!this.#options.signal?.aborted) await disposed;
  }
}
