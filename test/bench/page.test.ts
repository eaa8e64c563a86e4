import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareReports } from '../../ts/bench/compare.js';
import { benchPage, sections } from '../../ts/bench/page.js';
import { benchPlots } from '../../ts/bench/plots.js';
import type { Quality } from '../../ts/bench/quality.js';
import { devicePeak, machineText, peakNote, sweepTable } from '../../ts/bench/tables.js';
import { summarizeRounds } from '../../ts/bench/video-run.js';
import { columns } from '../../ts/report/table.js';
import type { VideoSummary } from '../../ts/video/options.js';
import { BASE, pointResult, report, START_UP, sweep, VIDEO } from './support.js';

const QUALITY: Quality = {
  ...{ protocol: 'Video', psnr: 'flavr', data: '/clips/clip.mp4', width: 64, height: 64, k: 2, samples: 10 },
  points: [
    { name: 'm fp32 2d', kind: 'model', psnr: 34, msPerNewFrame: 100 },
    { name: 'blend', kind: 'rival', psnr: 30, msPerNewFrame: 1 },
  ],
  untimed: ['other'],
};
const FULL = report({
  startUp: START_UP,
  engines: [
    { backend: 'tensorrt', problem: 'There is no <GPU>.' },
    { backend: 'tensorrt-rtx', version: '1.7.1', precision: 'fp16', lowering: '3d', buildMs: 712, engineBytes: 9e7 },
  ],
  video: VIDEO,
  quality: QUALITY,
});

test('a sweep is a table with one row per point', () => {
  const [head, row, last] = columns(sweepTable(report().sweeps[0]!), 'right');
  assert.match(head!, /^k +ms\/window +p99 +spread +windows\/s +new frames\/s +TFLOP\/s +of peak +open ms +model MiB/);
  assert.match(row!, /^2 +100\.0 +110\.0 +1\.0 % +10\.00 +10\.00 +0\.100 +50\.0 % +100 +160 +200 +80$/);
  assert.match(last!, /^32 +110\.0 +121\.0 +1\.0 % +9\.09 +281\.82 /);
});

test('what is not measured is said to be so, not shown as nothing', () => {
  const point = pointResult('2', BASE, 100);
  const unknown = { ...('result' in point && point.result), peak: undefined, shareOfReference: undefined };
  const [, row] = sweepTable(sweep('k', [{ ...point, result: unknown } as typeof point]));
  assert.equal(row!.slice(7), ['unknown', '100', 'unmeasured', '200', 'unmeasured']);
});

test('a point that has no room is named with the reason, and the others stand', () => {
  const big = { value: '9999x9999', point: BASE, problem: 'The model needs about 9 TiB.' };
  const [section] = sections(report({ sweeps: [sweep('size', [pointResult('64x64', BASE, 100), big])] }));
  assert.is(section!.table!.length, 2);
  assert.equal(section!.notes, ['size 9999x9999: The model needs about 9 TiB.']);
});

test('every scenario has its plot; a sweep of one point has none', () => {
  const names = benchPlots(FULL).map(({ name }) => name);
  assert.equal(names, ['time-by-k', 'memory-by-k', 'start-up', 'video', 'speed-quality']);
  assert.equal(benchPlots(report({ sweeps: [sweep('k', [pointResult('2', BASE, 100)])] })), []);
});

test('the plot of k shows windows with whiskers from the fastest to p99, and new frames, from zero', () => {
  const { svg } = benchPlots(FULL)[0]!;
  // 250 is 0 ms and 36 is 150 ms: 100 ms lie at 107.3, 90 at 121.6, 110 at 93.1; 110 ms over 31 frames at 244.9.
  assert.match(svg, /cx="64" cy="107\.3"/);
  assert.match(svg, /M64 121\.6V93\.1/);
  assert.match(svg, /cx="570" cy="244\.9"/);
  assert.match(svg, /m on cpu; Slow &#38; Steady 1, 2 cores/);
});

test('two sweeps along one axis have plots of two names', () => {
  const { sweeps } = report();
  const names = benchPlots(report({ sweeps: [...sweeps, ...sweeps] })).map(({ name }) => name);
  assert.equal(names, ['time-by-k', 'memory-by-k', 'time-by-k-2', 'memory-by-k-2']);
});

test('the page holds every table and plot and the environment, and needs nothing from elsewhere', () => {
  const page = benchPage(FULL, compareReports(FULL, FULL));
  for (const words of ['By k', 'Start-up', 'Engine build', 'Where the time of a video goes', 'Speed against quality']) {
    assert.ok(page.includes(words), words);
  }
  for (const words of [
    'Against the earlier report',
    'Slow &#38; Steady 1',
    '1.30.0',
    'There is no &#60;GPU&#62;.',
    'f00d',
  ]) {
    assert.ok(page.includes(words), words);
  }
  assert.not.match(page, /<script|<link|https?:\/\/|undefined|NaN/);
});

test('machine, backend and version stand in one line; the share of the peak says of what', () => {
  assert.is(machineText(report()), 'm on cpu; Slow & Steady 1, 2 cores; flavr 1.2.3 abc1234');
  assert.match(peakNote(report()), /matrix products .* 0\.200 TFLOP\/s with 2 threads/);
  const gpu = { name: 'Card', computeCapability: '8.9', memoryGiB: 24, peakTeraflops: { fp16: 330.3, fp32: 82.6 } };
  const gpus = [gpu, { ...gpu, name: 'Other', peakTeraflops: undefined }];
  const devices = { gpus, driver: '570.1', cuda: '12.8', libraries: {} };
  const onGpu = report({ backend: 'tensorrt', devices });
  assert.match(peakNote(onGpu), /Card: 330 TFLOP\/s in fp16, 82\.6 in fp32\. Other: not known\.$/);
  assert.equal(
    [devicePeak(onGpu), devicePeak(onGpu, 0, 'fp32'), devicePeak(onGpu, 0, 'tf32'), devicePeak(onGpu, 1)],
    [330.3, 82.6, undefined, undefined],
  );
  assert.is(devicePeak(report({ devices })), undefined);
});

test('of several rounds of a video the one in the middle tells where the time went', () => {
  const round = (totalMs: number) =>
    ({ ...VIDEO, seconds: totalMs / 1000 + 1, timings: { ...VIDEO.timings, totalMs } }) as unknown as VideoSummary;
  const run = summarizeRounds('/some/clip.mp4', 2, [round(3000), round(1000), round(2000)], undefined);
  assert.equal([run.file, run.timings.totalMs, run.frame.median, run.framesPerSecond], ['clip.mp4', 2000, 200, 5]);
  assert.ok(Math.abs(run.framesPerSecondWithStart - 10 / 3) < 1e-12);
});

test.run();
