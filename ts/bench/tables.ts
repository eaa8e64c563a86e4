import { basename } from 'node:path';
import type { Table } from '../report/table.js';
import type { BenchComparison } from './compare.js';
import type { EngineBuild } from './engine-builds.js';
import type { Devices } from './environment.js';
import type { Quality } from './quality.js';
import { type BenchReport, measured, type SweepResult } from './report.js';
import type { Point } from './scenarios.js';
import type { StartUp } from './start-up.js';
import type { VideoRun } from './video-run.js';

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
export const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
const UNMEASURED = 'unmeasured';

/** One row per point that was measured. */
export function sweepTable(sweep: SweepResult): Table {
  return [
    [
      sweep.axis,
      'ms/window',
      'p99',
      'spread',
      'windows/s',
      'new frames/s',
      'TFLOP/s',
      'of peak',
      'open ms',
      'model MiB',
      'estimated',
      'own MiB',
    ],
    ...measured(sweep).map(({ value, result: { window, ...rest } }) => [
      value,
      window.median.toFixed(1),
      window.p99.toFixed(1),
      percent(window.spread),
      rest.windowsPerSecond.toFixed(2),
      rest.newFramesPerSecond.toFixed(2),
      rest.teraflops.toFixed(3),
      rest.shareOfReference === undefined ? 'unknown' : percent(rest.shareOfReference),
      rest.openMs.toFixed(0),
      rest.peak ? mebibytes(rest.peak.modelBytes) : UNMEASURED,
      mebibytes(rest.estimatedBytes),
      rest.peak ? mebibytes(rest.peak.ownBytes) : UNMEASURED,
    ]),
  ];
}

/** What of a sweep could not be measured, and why. */
export const sweepProblems = ({ axis, points }: SweepResult): string[] =>
  points.flatMap((point) => ('problem' in point ? [`${axis} ${point.value}: ${point.problem}`] : []));

/** What a sweep does not vary, in words. */
export function pointText(point: Point, except?: string): string {
  const { width, height, k, batch, inFlight, precision, lowering, threads } = point;
  const parts = {
    size: `${width}x${height}`,
    k: `k = ${k}`,
    precision,
    lowering,
    threads: threads && `${threads} thread${threads === 1 ? '' : 's'}`,
    batch: batch > 1 ? `batch ${batch}` : undefined,
    inFlight: inFlight > 1 ? `${inFlight} in flight` : undefined,
  };
  return Object.entries(parts)
    .flatMap(([name, words]) => (words === undefined || name === except ? [] : [words]))
    .join(', ');
}

/** Model, backend and machine, as every figure is captioned with. */
export function machineText({ model, backend, environment, devices }: BenchReport): string {
  const { processor, cores, flavr, commit } = environment;
  const gpus = backend === 'cpu' ? [] : (devices?.gpus.map(({ name }) => name) ?? []);
  const machine = [...gpus, `${processor}, ${cores} cores`].join('; ');
  return `${model.name} on ${backend}; ${machine}; flavr ${flavr}${commit ? ` ${commit}` : ''}`;
}

/** What the column `of peak` means here. */
export function peakNote({ backend, devices, referenceRates }: BenchReport): string {
  const rates = Object.entries(referenceRates).map(
    ([threads, rate]) => `${rate.toFixed(3)} TFLOP/s with ${threads} thread${threads === '1' ? '' : 's'}`,
  );
  return backend === 'cpu'
    ? `Of peak: of the rate of large fp32 matrix products on ONNX Runtime here: ${rates.join(', ')}.`
    : [
        'Of peak: of what the units of the GPU could do at its highest clock.',
        ...(devices?.gpus ?? []).map(peakText),
      ].join(' ');
}

function peakText({ name, peakTeraflops: peak }: Devices['gpus'][number]): string {
  return peak
    ? `${name}: ${peak.fp16.toFixed(0)} TFLOP/s in fp16, ${peak.fp32.toFixed(1)} in fp32.`
    : `${name}: not known.`;
}

/** In TFLOP/s; undefined on the CPU, for TF32, and where it is not known of that GPU. */
export function devicePeak(
  { backend, devices }: Pick<BenchReport, 'backend' | 'devices'>,
  device = 0,
  precision: string | undefined = 'fp16',
): number | undefined {
  const peak = backend === 'cpu' ? undefined : devices?.gpus[device]?.peakTeraflops;
  return precision === 'fp16' || precision === 'fp32' ? peak?.[precision] : undefined;
}

export function startUpTable({ imported, opened, firstFrame, command }: StartUp): Table {
  return [
    ['from the start of a new process', 'ms', 'slowest'],
    ...(
      [
        ['flavr is imported', imported],
        ['a session is open', opened],
        ['the first new frame is there', firstFrame],
        ['flavr interpolate has written a file of one new frame', command],
      ] as const
    ).flatMap(([name, timing]) => (timing ? [[name, timing.median.toFixed(0), timing.max.toFixed(0)]] : [])),
  ];
}

/** Engines that were built; undefined if none was. */
export function engineTable(builds: readonly EngineBuild[]): Table | undefined {
  const rows = builds.flatMap((build) => {
    if ('problem' in build) return [];
    const { backend, version, precision, lowering = '', buildMs, engineBytes } = build;
    return [[`${backend} ${version}`, precision, lowering, buildMs.toFixed(0), (engineBytes / 1e6).toFixed(1)]];
  });
  return rows.length > 0 ? [['engine', 'precision', 'lowering', 'build ms', 'MB'], ...rows] : undefined;
}

/** Why there are no engines of some libraries, each reason once. */
export function engineProblems(builds: readonly EngineBuild[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const build of builds) {
    if ('problem' in build) reasons.set(build.problem, [...(reasons.get(build.problem) ?? []), build.backend]);
  }
  return [...reasons].map(([reason, backends]) => `No engine of ${backends.join(' or ')}: ${reason}`);
}

const STAGES = [
  ['decode', 'decode', 'source frame'],
  ['convertIn', 'convert to RGB', 'source frame'],
  ['detectCuts', 'look for cuts', 'source frame'],
  ['model', 'model', 'window'],
  ['convertOut', 'convert from RGB', 'written frame'],
  ['encode', 'encode', 'written frame'],
  ['write', 'write', 'written frame'],
] as const;

/** Stages of a video, each with its time per written frame of the result, so that they can be held against each other. */
export const stagesOf = ({ timings, framesOut }: VideoRun) =>
  STAGES.map(([key, name, per]) => ({ name, per, ...timings[key], msPerWritten: timings[key].totalMs / framesOut }));

export function videoTable(video: VideoRun): Table {
  return [
    ['stage', 'ms', 'per', 'ms per written frame', 'share of the run'],
    ...stagesOf(video).map(({ name, msEach, per, msPerWritten, share }) => [
      name,
      msEach.toFixed(2),
      per,
      msPerWritten.toFixed(2),
      percent(share),
    ]),
    ['whole run', '', '', video.frame.median.toFixed(2), percent(1)],
  ];
}

const memoryText = ({ peak }: Pick<VideoRun, 'peak'>): string =>
  peak
    ? `Peak memory: ${mebibytes(peak.modelBytes)} MiB of the model's process, ${mebibytes(peak.ownBytes)} of this one.`
    : `Peak memory: ${UNMEASURED}.`;

/** What the table of a video does not hold. */
export function videoText({ file, width, height, k, framesIn, framesOut, windows, ...video }: VideoRun): string[] {
  const rate = (value: number) => value.toFixed(2);
  return [
    `${file}, ${width}x${height}, k = ${k}: ${framesOut} frames from ${framesIn}, ${windows} windows, ${video.frame.runs} rounds.`,
    `${rate(video.framesPerSecond)} written frames/s; with opening file and model ${rate(video.framesPerSecondWithStart)}. ` +
      memoryText(video),
    'Stages run side by side: their shares may come to more than 100 %.',
  ];
}

export function qualityTable({ points, psnr }: Quality): Table {
  return [
    ['method', 'ms/new frame', `PSNR (${psnr}), dB`],
    ...points.map(({ name, msPerNewFrame, psnr }) => [name, msPerNewFrame.toFixed(2), psnr.toFixed(2)]),
  ];
}

export const qualityText = ({ data, width, height, k, samples, protocol, untimed }: Quality): string[] => [
  `${protocol}: ${basename(data)}, ${width}x${height}, k = ${k}, ${samples} samples.`,
  ...(untimed.length > 0 ? [`Evaluated, but not timed here: ${untimed.join(', ')}.`] : []),
];

export function changeTable({ changes }: BenchComparison): Table | undefined {
  if (changes.length === 0) return undefined;
  return [
    ['time', 'before, ms', 'now, ms', 'now/before', 'noise', 'verdict'],
    ...changes.map(({ name, before, after, ratio, noise, verdict }) => [
      name,
      before.toFixed(1),
      after.toFixed(1),
      ratio.toFixed(2),
      percent(noise),
      verdict,
    ]),
  ];
}

/** What could not be compared, and why. */
export function comparisonText({ changes, differences, onlyBefore, onlyAfter }: BenchComparison): string[] {
  return [
    ...(differences.length > 0 ? [`Not comparable, because more than flavr differs: ${differences.join('; ')}.`] : []),
    ...(onlyBefore.length > 0 ? [`Measured only before: ${onlyBefore.join(', ')}.`] : []),
    ...(onlyAfter.length > 0 ? [`Measured only now: ${onlyAfter.join(', ')}.`] : []),
    ...(changes.length === 0 ? ['The two reports have no time in common.'] : []),
  ];
}
