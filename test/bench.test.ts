import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readEnvironment } from '../ts/bench/environment.js';
import { type BenchReport, compareReports, sweepTable } from '../ts/bench/report.js';
import { type Point, pointAt } from '../ts/bench/scenarios.js';
import { repeat, summarizeTimes } from '../ts/bench/timing.js';
import { flavr } from './support/cli.js';

const BASE: Point = {
  ...{ width: 64, height: 64, k: 2, batch: 1, inFlight: 1, precision: 'fp32' as const },
  ...{ lowering: undefined, threads: undefined },
};

test('times are summarized by rank, not by mean: one outlier moves the maximum only', () => {
  const times = summarizeTimes([10, 11, 12, 13, 500]);
  assert.is(times.median, 12);
  assert.is(times.max, 500);
  assert.is(times.min, 10);
  assert.ok(times.p99 > 400 && times.p99 < 500);
  assert.ok(Math.abs(times.spread - 1 / 12) < 1e-12);
});

test('warm-up runs are not counted', async () => {
  let calls = 0;
  const times = await repeat(async () => void calls++, { warmup: 3, runs: 4, seconds: 0 });
  assert.is(times.length, 4);
  assert.is(calls, 7);
});

test('a sweep changes one thing and keeps the rest', () => {
  assert.equal(pointAt(BASE, 'size', '480x270'), { ...BASE, width: 480, height: 270 });
  assert.equal(pointAt(BASE, 'threads', '2'), { ...BASE, threads: 2 });
  assert.equal(pointAt(BASE, 'lowering', '3d'), { ...BASE, lowering: '3d' });
});

function report(median: number, spread: number, point = BASE): BenchReport {
  const window = { runs: 5, median, p99: median, min: median, max: median, spread };
  const rates = { windowsPerSecond: 1000 / median, newFramesPerSecond: 1000 / median, teraflops: 0.1 };
  const result = { point, window, ...rates, openMs: 100, memoryBytes: 2 ** 20 };
  return {
    format: 'flavr-bench-1',
    environment: readEnvironment(),
    model: 'm',
    backend: 'cpu',
    sweeps: [{ axis: 'k', points: [{ value: '2', result }] }],
  };
}

test('a change counts only beyond the noise of both runs', () => {
  const verdict = (a: BenchReport, b: BenchReport) => compareReports(a, b).map((change) => change.verdict);
  assert.equal(verdict(report(100, 0.01), report(110, 0.01)), ['slower']);
  assert.equal(verdict(report(100, 0.08), report(110, 0.06)), ['same']);
  assert.equal(verdict(report(100, 0), report(102, 0)), ['same']);
  assert.equal(verdict(report(110, 0.01), report(100, 0.01)), ['faster']);
});

test('points that differ in anything but time are not compared', () => {
  assert.equal(compareReports(report(100, 0), report(100, 0, { ...BASE, threads: 1 })), []);
});

test('a sweep is a table with one row per value', () => {
  const [head, row] = sweepTable(report(12.34, 0.021).sweeps[0]!);
  assert.match(head!, /^ *k +ms\/window +p99 +spread/);
  assert.match(row!, /^ *2 +12\.3 +12\.3 +2\.1 % +81\.04 +81\.04 +0\.100 +100 +1$/);
});

test('flavr bench measures real windows and compares with an earlier report', async () => {
  const words = ['bench', '--backend', 'cpu', '--vary', 'size=32x32,64x32', '--runs', '2', '--seconds', '0', '--json'];
  const { code, stdout, stderr } = await flavr(words);
  assert.is(code, 0, stderr);
  const { sweeps, backend } = JSON.parse(stdout) as BenchReport;
  assert.is(backend, 'cpu');
  assert.equal(
    sweeps[0]!.points.map(({ value }) => value),
    ['32x32', '64x32'],
  );
  for (const { result } of sweeps[0]!.points) {
    assert.ok(result.window.median > 0 && result.teraflops > 0);
    assert.is(result.window.runs, 2);
  }
});

test('flavr bench refuses what it cannot vary, and a file that is no report', async () => {
  const wrong = await flavr(['bench', '--vary', 'colour']);
  assert.is(wrong.code, 2);
  assert.match(wrong.stderr, /--vary must be one of k, size/);
  const value = await flavr(['bench', '--vary', 'size=big']);
  assert.match(value.stderr, /--vary size must be a size/);
  const file = await flavr(['bench', '--against', 'package.json']);
  assert.is(file.code, 2);
  assert.match(file.stderr, /no report of flavr bench/);
});

test.run();
