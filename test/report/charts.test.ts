import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { barChart } from '../../ts/report/bar-chart.js';
import { htmlPage } from '../../ts/report/html.js';
import { lineChart } from '../../ts/report/line-chart.js';
import { linearScale, logScale, niceTicks } from '../../ts/report/scale.js';
import { scatterChart } from '../../ts/report/scatter-chart.js';
import { columns } from '../../ts/report/table.js';

const AXES = { title: 't', yLabel: 'ms', xLabels: ['2', '4', '32'] };

const all = (svg: string, pattern: RegExp): string[] => [...svg.matchAll(pattern)].map((match) => match[1]!);
/** The top of the plot has y = 36, its bottom 250; its left x = 64, its right 570. */
const centres = (svg: string) => all(svg, /<circle cx="([\d.]+)" cy=/g).map(Number);
const heights = (svg: string) => all(svg, /<circle cx="[\d.]+" cy="([\d.]+)"/g).map(Number);

test('ticks are round values around the data', () => {
  assert.equal(niceTicks([27.3, 31.9]), [26, 28, 30, 32]);
  assert.equal(niceTicks([5]), [4, 6]);
  assert.equal(niceTicks([]), [0, 1]);
  assert.equal(niceTicks([Number.NaN, 0, 9]), [0, 5, 10]);
});

test('a scale puts its ends at the ends of the axis', () => {
  const { ticks, at } = linearScale([3, 9], 250, 50, true);
  assert.equal(ticks, [0, 5, 10]);
  assert.equal([at(0), at(5), at(10)], [250, 150, 50]);
});

test('equal ratios are equal distances on a logarithmic scale, whose ticks are 1, 2, 5, 10 …', () => {
  const { ticks, at } = logScale([0.15, 18], 0, 100);
  assert.equal(ticks, [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]);
  assert.is(at(0.1), 0);
  assert.ok(Math.abs(at(20) - 100) < 1e-9);
  assert.ok(Math.abs(at(2) - at(1) - (at(20) - at(10))) < 1e-9);
});

test('a line is broken where a value is missing', () => {
  const svg = lineChart({ ...AXES, series: [{ name: 's', values: [1, Number.NaN, 3] }] });
  const [path] = all(svg, /<path d="([^"]*)" fill="none" stroke="#0072b2" stroke-width/g);
  assert.is(path, 'M64 250L570 36'.replace('L', 'M'));
  assert.not.match(svg, /NaN/);
});

test('a chart of durations begins at zero, so that twice the height is twice the time', () => {
  const svg = lineChart({ ...AXES, fromZero: true, series: [{ name: 's', values: [20, 10, 40] }] });
  const [twenty, ten, forty] = heights(svg).map((y) => 250 - y);
  assert.equal([twenty! / ten!, forty! / ten!], [2, 4]);
});

test('places along x keep their distances', () => {
  const svg = lineChart({ ...AXES, positions: [1, 2, 5], series: [{ name: 's', values: [1, 1, 1] }] });
  assert.equal(centres(svg), [64, 190.5, 570]);
});

test('whiskers reach from the lower to the upper end of a range, and the axis holds both', () => {
  const svg = lineChart({
    ...AXES,
    xLabels: ['2'],
    fromZero: true,
    series: [{ name: 's', values: [20], ranges: [[10, 100]] }],
  });
  assert.match(svg, /M317 228\.6V36M/);
});

test('variants that nothing lies between are points without a line', () => {
  const svg = lineChart({ ...AXES, joined: false, series: [{ name: 's', values: [1, 2, 3] }] });
  assert.is(centres(svg).length, 3);
  assert.not.match(svg, /stroke-width="1\.8"/);
});

test('names of the points in a scatter do not lie on one another', () => {
  const near = ['a', 'b', 'c'].map((name) => ({ name, x: 5, y: 30, group: 0 }));
  const svg = scatterChart({ title: 't', xLabel: 'ms', yLabel: 'dB', points: near });
  const lines = all(svg, /y="([\d.]+)" class="c-ink">[abc]</g).map(Number);
  assert.is(lines.length, 3);
  for (const [i, y] of lines.slice(1).entries()) assert.ok(y - lines[i]! >= 14);
  // To those two that are not beside their point.
  assert.is(all(svg, /<path d="(M.*?)" stroke/g).length, 2);
});

test('a scatter over a wide range says that its axis is logarithmic', () => {
  const points = [1, 100].map((x) => ({ name: String(x), x, y: x, group: 0 }));
  assert.match(scatterChart({ title: 't', xLabel: 'ms', yLabel: 'dB', points }), /ms \(logarithmic\)/);
  assert.not.match(scatterChart({ title: 't', xLabel: 'ms', yLabel: 'dB', points: points.slice(0, 1) }), /logarithmic/);
});

test('bars are as long as their values', () => {
  const bars = [10, 40].map((value) => ({ name: `${value}`, value }));
  const [short, long] = all(barChart({ title: 't', xLabel: 'ms', bars }), /<rect x="196" .*?width="([\d.]+)"/g).map(
    Number,
  );
  assert.is(long, short! * 4);
});

test('bars of one group have one colour', () => {
  const bars = [0, 0, 1].map((group, i) => ({ name: `${i}`, value: 1, group }));
  const [a, b, c] = all(barChart({ title: 't', xLabel: 'ms', bars }), /fill="(#\w+)"/g);
  assert.is(a, b);
  assert.is.not(b, c);
});

test('a chart follows the reader’s light or dark setting, and its words cannot be taken for markup', () => {
  const svg = lineChart({
    ...AXES,
    title: '<script>&"',
    caption: 'a <b>',
    series: [{ name: '<i>', values: [1, 2, 3] }],
  });
  assert.match(svg, /prefers-color-scheme:dark/);
  assert.not.match(svg, /<script>|<b>|<i>/);
  assert.match(htmlPage('t', [svg]), /prefers-color-scheme: dark/);
});

test('a long caption is wrapped, and the picture grows with it', () => {
  const height = (caption: string) => {
    const svg = lineChart({ ...AXES, caption, series: [{ name: 's', values: [1, 2, 3] }] });
    return Number(/viewBox="0 0 720 (\d+)"/.exec(svg)![1]);
  };
  assert.is(height('word '.repeat(60)) - height(''), 3 * 14);
});

test('figures stand below one another by their last digit', () => {
  assert.equal(
    columns(
      [
        ['k', 'ms'],
        ['32', '1.5'],
        ['2', '12.5'],
      ],
      'right',
    ),
    ['k     ms', '32   1.5', '2   12.5'],
  );
});

test.run();
