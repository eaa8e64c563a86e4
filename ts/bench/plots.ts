import { barChart } from '../report/bar-chart.js';
import { type LineChart, lineChart, type Series } from '../report/line-chart.js';
import { scatterChart } from '../report/scatter-chart.js';
import { type BenchReport, measured, type SweepResult } from './report.js';
import type { Axis } from './scenarios.js';
import { machineText, pointText, stagesOf } from './tables.js';

/** A figure of a report. */
export interface BenchPlot {
  /** As it may stand in a file's name. */
  readonly name: string;
  readonly svg: string;
}

/** Every figure that a report has enough points for. */
export function benchPlots(report: BenchReport): BenchPlot[] {
  const { sweeps, video, quality, startUp } = report;
  const machine = machineText(report);
  const plots: BenchPlot[] = [];
  for (const [i, sweep] of sweeps.entries()) {
    if (measured(sweep).length < 2) continue;
    const again = sweeps.slice(0, i).filter(({ axis }) => axis === sweep.axis).length;
    const suffix = `${sweep.axis}${again > 0 ? `-${again + 1}` : ''}`;
    plots.push({ name: `time-by-${suffix}`, svg: timePlot(sweep, report) });
    if (measured(sweep).every(({ result }) => result.peak)) {
      plots.push({ name: `memory-by-${suffix}`, svg: memoryPlot(sweep, report) });
    }
  }
  if (startUp) {
    const bars = Object.entries({
      imported: startUp.imported,
      'session open': startUp.opened,
      'first new frame': startUp.firstFrame,
      'whole command': startUp.command,
    }).flatMap(([name, timing]) => (timing ? [{ name, value: timing.median }] : []));
    const caption = `${machine}; median of ${startUp.firstFrame.runs}`;
    plots.push({
      name: 'start-up',
      svg: barChart({ title: 'Start-up', xLabel: 'ms from the start of a new process', bars, caption }),
    });
  }
  if (video) {
    const bars = [
      ...stagesOf(video).map(({ name, msPerWritten }) => ({ name, value: msPerWritten })),
      { name: 'whole run', value: video.frame.median, group: 1 },
    ];
    const caption = `${video.file}, ${video.width}x${video.height}, k = ${video.k}; stages run side by side; ${machine}`;
    plots.push({
      name: 'video',
      svg: barChart({ title: 'Where the time of a video goes', xLabel: 'ms per written frame', bars, caption }),
    });
  }
  if (quality && quality.points.length > 1) {
    const { width, height, k, samples, protocol } = quality;
    plots.push({
      name: 'speed-quality',
      svg: scatterChart({
        title: 'Speed against quality',
        xLabel: 'ms per new frame',
        yLabel: `PSNR (${quality.psnr}), dB`,
        points: quality.points.map(({ name, kind, msPerNewFrame, psnr }) => {
          return { name, x: msPerNewFrame, y: psnr, group: kind === 'model' ? 0 : 1 };
        }),
        caption: `${protocol}, ${width}x${height}, k = ${k}, ${samples} samples; up and left is better; ${machine}`,
      }),
    });
  }
  return plots;
}

const UNITS: Readonly<Record<Axis, string>> = {
  k: 'k',
  size: 'frame size, by its pixels',
  batch: 'windows in a call',
  inFlight: 'calls at a time',
  precision: 'precision',
  lowering: 'lowering',
  threads: 'threads',
};

/** Where the values of an axis stand: by their pixels or their number; the factors, each twice the last, evenly. */
function placement(sweep: SweepResult): Pick<LineChart, 'xLabel' | 'xLabels' | 'positions' | 'joined'> {
  const points = measured(sweep);
  const { axis } = sweep;
  const numbers = points.map(({ value, result: { point } }) =>
    axis === 'size' ? point.width * point.height : Number(value),
  );
  const ascending = numbers.every((number, i) => i === 0 || number > numbers[i - 1]!);
  return {
    xLabel: UNITS[axis],
    xLabels: points.map(({ value }) => value),
    ...(axis !== 'k' && ascending && { positions: numbers }),
    joined: axis !== 'precision' && axis !== 'lowering' && ascending,
  };
}

function timePlot(sweep: SweepResult, report: BenchReport): string {
  const points = measured(sweep);
  const windows: Series = {
    name: 'per window',
    values: points.map(({ result }) => result.window.median),
    ranges: points.map(({ result }) => [result.window.min, result.window.p99]),
  };
  const frames: Series = {
    name: 'per new frame',
    values: points.map(({ result: { window, point } }) => window.median / (point.k - 1)),
  };
  return lineChart({
    title: `Time per window by ${sweep.axis}`,
    yLabel: 'ms',
    ...placement(sweep),
    fromZero: true,
    series: sweep.axis === 'k' ? [windows, frames] : [windows],
    caption: `${pointText(points[0]!.result.point, sweep.axis)}; median, whiskers from the fastest call to p99; ${machineText(report)}`,
  });
}

function memoryPlot(sweep: SweepResult, report: BenchReport): string {
  const points = measured(sweep);
  const mebibytes = (bytes: number) => bytes / 2 ** 20;
  return lineChart({
    title: `Peak memory by ${sweep.axis}`,
    yLabel: 'MiB',
    ...placement(sweep),
    fromZero: true,
    series: [
      {
        name: 'both processes',
        values: points.map(({ result: { peak } }) => mebibytes(peak!.ownBytes + peak!.modelBytes)),
      },
      { name: 'model’s process', values: points.map(({ result: { peak } }) => mebibytes(peak!.modelBytes)) },
      { name: 'estimate', values: points.map(({ result }) => mebibytes(result.estimatedBytes)) },
    ],
    caption: `${pointText(points[0]!.result.point, sweep.axis)}; the estimate is of the model's process; ${machineText(report)}`,
  });
}
