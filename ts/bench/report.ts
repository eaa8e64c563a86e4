import type { Environment } from './environment.js';
import type { Measurement } from './measure.js';
import type { Axis, Point } from './scenarios.js';

/** Points along one axis. */
export interface SweepResult {
  readonly axis: Axis;
  readonly points: readonly { readonly value: string; readonly result: Measurement }[];
}

/** What `flavr bench --json` writes, and what `--against` reads. */
export interface BenchReport {
  readonly format: 'flavr-bench-1';
  readonly environment: Environment;
  readonly model: string;
  readonly backend: string;
  readonly sweeps: readonly SweepResult[];
}

/** One sweep as lines for a terminal. */
export function sweepTable({ axis, points }: SweepResult): string[] {
  const rows = [
    [axis, 'ms/window', 'p99', 'spread', 'windows/s', 'new frames/s', 'TFLOP/s', 'open ms', 'memory MiB'],
    ...points.map(({ value, result: { window, ...rest } }) => [
      value,
      window.median.toFixed(1),
      window.p99.toFixed(1),
      `${(window.spread * 100).toFixed(1)} %`,
      rest.windowsPerSecond.toFixed(2),
      rest.newFramesPerSecond.toFixed(2),
      rest.teraflops.toFixed(3),
      rest.openMs.toFixed(0),
      (rest.memoryBytes / 2 ** 20).toFixed(0),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join('  '));
}

export interface Change {
  readonly axis: Axis;
  readonly value: string;
  readonly before: number;
  readonly after: number;
  /** after / before: above 1 is slower. */
  readonly ratio: number;
  readonly verdict: 'slower' | 'faster' | 'same';
}

/**
 * Compares two reports point by point. A change counts only beyond noise: more than 3 %, and more than both runs' spreads
 * together. Points that differ in anything but the time are left out.
 */
export function compareReports(before: BenchReport, after: BenchReport): Change[] {
  const earlier = new Map(
    before.sweeps.flatMap(({ axis, points }) => points.map((point) => [key(axis, point.result.point), point.result])),
  );
  return after.sweeps.flatMap(({ axis, points }) =>
    points.flatMap(({ value, result }) => {
      const match = earlier.get(key(axis, result.point));
      if (!match) return [];
      const ratio = result.window.median / match.window.median;
      const noise = Math.max(0.03, result.window.spread + match.window.spread);
      const verdict = ratio > 1 + noise ? 'slower' : ratio < 1 / (1 + noise) ? 'faster' : 'same';
      return [{ axis, value, before: match.window.median, after: result.window.median, ratio, verdict } as const];
    }),
  );
}

const key = (axis: Axis, point: Point): string => JSON.stringify([axis, point]);
