import { FlavrError } from '../errors.js';
import type { EngineBuild } from './engine-builds.js';
import type { Devices, Environment } from './environment.js';
import type { Measurement } from './measure.js';
import type { Quality } from './quality.js';
import type { Axis, Point } from './scenarios.js';
import type { StartUp } from './start-up.js';
import type { Timing } from './timing.js';
import type { VideoRun } from './video-run.js';

/** Points along one axis. */
export interface SweepResult {
  readonly axis: Axis;
  readonly points: readonly PointResult[];
}

/** A point that was measured, or why it could not be. */
export type PointResult = { readonly value: string; readonly point: Point } & (
  | { readonly result: Measurement }
  | { readonly problem: string }
);

/** What `flavr bench --json` writes, and what `--against` reads. */
export interface BenchReport {
  readonly format: 'flavr-bench-2';
  readonly environment: Environment;
  /** Undefined where no GPU can be used. */
  readonly devices: Devices | undefined;
  readonly model: BenchModel;
  readonly backend: string;
  /** The point that sweeps start from. */
  readonly base: Point;
  /** What shares of the peak are held against, in TFLOP/s by number of threads; empty where nothing is known. */
  readonly referenceRates: Readonly<Record<string, number>>;
  readonly sweeps: readonly SweepResult[];
  readonly startUp?: StartUp;
  readonly engines?: readonly EngineBuild[];
  readonly video?: VideoRun;
  readonly quality?: Quality;
}

export interface BenchModel {
  readonly name: string;
  readonly hash: string;
  readonly parameters: number;
  /** False for noise in place of weights. */
  readonly trained: boolean;
}

/** The points of a sweep that were measured. */
export const measured = ({ points }: SweepResult): { value: string; result: Measurement }[] =>
  points.flatMap((point) => ('result' in point ? [point] : []));

/** One time in a report, under a name by which people know it and a key that holds all that decides it. */
export interface ReportedTime {
  readonly name: string;
  readonly key: string;
  /** In milliseconds. */
  readonly timing: Timing;
}

/** Every time of a report that another run can be held against. */
export function reportedTimes({ sweeps, startUp, video, base }: BenchReport): ReportedTime[] {
  return [
    ...sweeps.flatMap((sweep) =>
      measured(sweep).map(({ value, result: { point, window } }) => {
        return { name: `${sweep.axis} ${value}`, key: JSON.stringify([sweep.axis, point]), timing: window };
      }),
    ),
    ...(startUp
      ? [{ name: 'start to first new frame', key: JSON.stringify(['first-frame', base]), timing: startUp.firstFrame }]
      : []),
    ...(startUp?.command
      ? [{ name: 'whole command', key: JSON.stringify(['command', base]), timing: startUp.command }]
      : []),
    ...(video
      ? [
          {
            name: `${video.file}, per frame`,
            key: JSON.stringify(['video', video.file, video.k, base.precision, base.threads]),
            timing: video.frame,
          },
        ]
      : []),
  ];
}

/**
 * Reads what `--json` wrote.
 * @param name what the text is called in messages.
 * @throws FlavrError `BAD_ARGUMENT` for anything else.
 */
export function parseReport(text: string, name: string): BenchReport {
  const refuse = (why: string): never => {
    throw new FlavrError('BAD_ARGUMENT', `${name} is no report of flavr bench --json: ${why}.`);
  };
  let report: BenchReport;
  try {
    report = JSON.parse(text) as BenchReport;
  } catch (error) {
    return refuse((error as Error).message);
  }
  const problem = whatIsWrong(report);
  return problem === undefined ? report : refuse(problem);
}

/** Looks at all that a comparison reads. */
function whatIsWrong(report: BenchReport): string | undefined {
  const format: unknown = report?.format;
  if (format === 'flavr-bench-1') return 'an older flavr wrote it, in a form that cannot be compared with';
  if (format !== 'flavr-bench-2') return 'it does not say that it has the format flavr-bench-2';
  try {
    const { environment, model, backend } = report;
    const { processor, node, flavr, libraries } = environment;
    const words = [processor, node, flavr, model.name, model.hash, backend, ...Object.values(libraries)];
    if (!words.every((word) => typeof word === 'string')) return 'it does not say what was measured, and where';
    const sound = ({ timing: { median, spread, runs } }: ReportedTime) => median > 0 && spread >= 0 && runs > 0;
    return reportedTimes(report).every(sound) ? undefined : 'a time in it is no time';
  } catch {
    return 'parts of it are missing';
  }
}
