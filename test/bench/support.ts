import type { Measurement } from '../../ts/bench/measure.js';
import type { BenchReport, PointResult } from '../../ts/bench/report.js';
import type { Axis, Point } from '../../ts/bench/scenarios.js';
import type { StartUp } from '../../ts/bench/start-up.js';
import type { Timing } from '../../ts/bench/timing.js';
import type { VideoRun } from '../../ts/bench/video-run.js';

const MiB = 2 ** 20;

export const BASE: Point = {
  ...{ width: 64, height: 64, k: 2, batch: 1, inFlight: 1, precision: 'fp32' as const },
  ...{ lowering: '2d' as const, threads: 2 },
};

/** So many milliseconds, a tenth less at best and a tenth more at p99. */
export const timing = (median: number, spread = 0.01, runs = 5): Timing => {
  return { runs, median, p99: median * 1.1, min: median * 0.9, max: median * 1.1, spread };
};

export function measurement(point: Point, median: number, spread?: number, runs?: number): Measurement {
  const rate = 1000 / median;
  return {
    point,
    window: timing(median, spread, runs),
    callsPerSecond: rate,
    windowsPerSecond: rate,
    newFramesPerSecond: rate * (point.k - 1),
    teraflops: 0.1,
    shareOfReference: 0.5,
    openMs: 100,
    estimatedBytes: 200 * MiB,
    peak: { ownBytes: 80 * MiB, modelBytes: 160 * MiB },
  };
}

export const pointResult = (
  value: string,
  point: Point,
  median: number,
  spread?: number,
  runs?: number,
): PointResult => {
  return { value, point, result: measurement(point, median, spread, runs) };
};

export const START_UP: StartUp = {
  imported: timing(90),
  opened: timing(400),
  firstFrame: timing(500),
  command: timing(900),
};

const stage = (totalMs: number, count: number) => ({ totalMs, count, msEach: totalMs / count, share: totalMs / 1000 });

export const VIDEO: VideoRun = {
  ...{ file: 'clip.mp4', width: 64, height: 64, k: 2, framesIn: 6, framesOut: 10, windows: 5, frame: timing(100) },
  framesPerSecond: 10,
  framesPerSecondWithStart: 8,
  timings: {
    totalMs: 1000,
    decode: stage(12, 6),
    convertIn: stage(6, 6),
    detectCuts: stage(3, 6),
    model: stage(950, 5),
    convertOut: stage(5, 10),
    encode: stage(200, 10),
    write: stage(10, 10),
  },
  peak: undefined,
};

/** A report with one sweep over k, or with what is given in its place. */
export function report(parts: Partial<BenchReport> = {}): BenchReport {
  return {
    format: 'flavr-bench-2',
    environment: {
      ...{ flavr: '1.2.3', commit: 'abc1234', date: '2026-01-02T03:04:05.000Z', node: 'v20.20.2', system: 'Linux' },
      ...{ processor: 'Slow & Steady 1', cores: 2, governor: undefined, memoryGiB: 4, load: 0.1 },
      libraries: { 'onnxruntime-node': '1.30.0' },
    },
    devices: undefined,
    model: { name: 'm', hash: 'f00d', parameters: 12, trained: true },
    backend: 'cpu',
    base: BASE,
    referenceRates: { 2: 0.2 },
    sweeps: [sweep('k', [pointResult('2', BASE, 100), pointResult('32', { ...BASE, k: 32 }, 110)])],
    ...parts,
  };
}

export const sweep = (axis: Axis, points: readonly PointResult[]) => ({ axis, points });
