import type { Backend, Lane, Session, Slot } from '../backends/backend.js';
import { FlavrError } from '../errors.js';
import { frameBytes, frameFormat } from '../frame.js';
import { type Model, modelInputs } from '../model/config.js';
import { estimateGraph } from '../model/graph/build.js';
import { type PeakMemory, PeakMemoryWatch } from './peak-memory.js';
import type { Point } from './scenarios.js';
import { type RepeatOptions, repeat, summarizeTimes, type Timing } from './timing.js';
import { noise } from './untrained.js';

/** What one point reached. Three rates that are often confused stand apart. */
export interface Measurement {
  readonly point: Point;
  /** Time of one call of the session with a full batch, `inFlight` of them at a time, divided by the batch. */
  readonly window: Timing;
  /** Calls of the session per second; each runs `batch` windows. */
  readonly callsPerSecond: number;
  /** Windows per second: passes of the network. */
  readonly windowsPerSecond: number;
  /** New frames per second: k-1 per window. */
  readonly newFramesPerSecond: number;
  /** Multiply-adds times two that the network needs, without those on padding, over the time they took. */
  readonly teraflops: number;
  /** `teraflops` over the reference rate of as many threads; undefined where there is none. */
  readonly shareOfReference: number | undefined;
  readonly openMs: number;
  /** As the session estimated before taking it, on device and host. */
  readonly estimatedBytes: number;
  /** Undefined where the system does not tell. */
  readonly peak: PeakMemory | undefined;
}

export interface MeasureOptions extends RepeatOptions {
  readonly backend: Backend;
  readonly model: Model;
  readonly device?: number | undefined;
  /** In TFLOP/s. */
  readonly referenceRate?: number | undefined;
}

/** Opens a session for a point and times windows on it; frames are uploaded beforehand, outputs given back. */
export async function measurePoint(point: Point, options: MeasureOptions): Promise<Measurement> {
  const { width, height, k, batch, inFlight, precision, lowering, threads } = point;
  const { backend, model, device, signal, referenceRate } = options;
  const format = frameFormat({ width, height });
  const watch = new PeakMemoryWatch();
  const started = performance.now();
  const session = await backend.openSession({
    ...{ model, format, factors: [k], batch, inFlight, precision, lowering, threads, device, signal },
  });
  const openMs = performance.now() - started;
  try {
    const lane = session.openLane(modelInputs(model) + batch);
    const slots = uploadFrames(session, lane, modelInputs(model) + batch - 1, frameBytes(format));
    const times = await repeat(() => runTogether(session, slots, point, modelInputs(model)), options);
    const window = summarizeTimes(times.map((time) => time / (batch * inFlight)));
    const { usefulFlops } = estimateGraph(model, { width, height, factor: k });
    const windowsPerSecond = 1000 / window.median;
    const teraflops = (usefulFlops * windowsPerSecond) / 1e12;
    return {
      point,
      window,
      callsPerSecond: windowsPerSecond / batch,
      windowsPerSecond,
      newFramesPerSecond: windowsPerSecond * (k - 1),
      teraflops,
      shareOfReference: referenceRate && teraflops / referenceRate,
      openMs,
      estimatedBytes: session.stats().memoryBytes,
      peak: watch.stop(),
    };
  } finally {
    watch.stop();
    await session.dispose();
  }
}

/** The same, or why this machine cannot run the point: a sweep goes on without it. */
export async function tryPoint(
  point: Point,
  options: MeasureOptions,
): Promise<{ result: Measurement } | { problem: string }> {
  try {
    return { result: await measurePoint(point, options) };
  } catch (error) {
    const expected = error instanceof FlavrError && ['OUT_OF_MEMORY', 'ENGINE_BUILD_FAILED'].includes(error.code);
    if (expected) return { problem: error.message };
    throw error;
  }
}

/** Frames of noise: zeros let some processors run faster than real pictures do. */
function uploadFrames(session: Session, lane: Lane, count: number, bytes: number): Slot[] {
  const random = noise(1);
  return Array.from({ length: count }, () => {
    const frame = session.allocFrame();
    for (let i = 0; i < bytes; i++) frame[i] = random() >>> 24;
    return lane.upload(frame);
  });
}

/** `inFlight` batches of consecutive windows at a time, until all have come back. */
async function runTogether(session: Session, slots: readonly Slot[], point: Point, inputs: number): Promise<void> {
  const windows = Array.from({ length: point.batch }, (_, i) => ({ slots: slots.slice(i, i + inputs) }));
  const batches = Array.from({ length: point.inFlight }, () => session.infer({ factor: point.k, windows }));
  for (const results of await Promise.all(batches)) {
    for (const { frames } of results) for (const frame of frames) session.release(frame);
  }
}
