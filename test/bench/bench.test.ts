import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BenchComparison } from '../../ts/bench/compare.js';
import { PeakMemoryWatch } from '../../ts/bench/peak-memory.js';
import { measureReferenceRate } from '../../ts/bench/reference-rate.js';
import { type BenchReport, measured } from '../../ts/bench/report.js';
import { packageRoot } from '../../ts/package.js';
import { flavr } from '../support/cli.js';

const CUT = join(packageRoot(), 'test/fixtures/video/bunny-cut.mp4');
const SMALL = ['bench', '--backend', 'cpu', '--size', '32x32', '--runs', '2', '--seconds', '0'];

let folder: string;
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'flavr-bench-test-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

const run = (...words: string[]) => flavr([...SMALL, ...words], { cwd: folder });

test('points are measured; document, page and plots hold them, and a second run is compared with the first', async () => {
  const words = ['--vary', 'size=32x32,64x32', '--vary', 'threads=1', '--json'];
  const first = await run(...words, '--html', 'r.html', '--plots', 'plots');
  assert.is(first.code, 0, first.stderr);
  const report = JSON.parse(first.stdout) as BenchReport;
  assert.is(report.backend, 'cpu');
  assert.is(report.model.parameters, 2_637_475);
  assert.ok(
    report.environment.libraries['onnxruntime-node'] && report.environment.processor && report.environment.date,
  );
  const points = report.sweeps.flatMap(({ points }) => points);
  assert.equal(
    points.map(({ value }) => value),
    ['32x32', '64x32', '1'],
  );
  const results = report.sweeps.flatMap((sweep) => measured(sweep).map(({ result }) => result));
  assert.is(results.length, 3);
  for (const { window, teraflops, shareOfReference, peak } of results) {
    assert.is(window.runs, 2);
    assert.ok(window.median > 0 && teraflops > 0 && shareOfReference! > 0);
    // A Node process with ONNX Runtime and the weights in it takes more than this on every system.
    if (process.platform === 'linux') assert.ok(peak!.modelBytes > 50 * 2 ** 20 && peak!.ownBytes > 30 * 2 ** 20);
  }
  const page = readFileSync(join(folder, 'r.html'), 'utf8');
  assert.ok(page.includes('By size') && page.includes(report.environment.processor.replaceAll('&', '&#38;')));
  const files = readdirSync(join(folder, 'plots')).sort();
  assert.equal(files, ['memory-by-size.png', 'memory-by-size.svg', 'time-by-size.png', 'time-by-size.svg']);
  assert.match(readFileSync(join(folder, 'plots', 'time-by-size.svg'), 'utf8'), /^<svg xmlns=/);
  assert.is(
    readFileSync(join(folder, 'plots', 'time-by-size.png'))
      .subarray(1, 4)
      .toString(),
    'PNG',
  );

  // As if everything had been a million times as fast, and then as slow: far beyond what a busy machine does to a run.
  for (const [factor, code, verdict] of [
    [1e-6, 3, 'slower'],
    [1e6, 0, 'faster'],
  ] as const) {
    writeFileSync(join(folder, 'old.json'), scaled(first.stdout, factor));
    const second = await run(...words, '--against', 'old.json', '--fail-on-slowdown');
    assert.is(second.code, code, second.stderr);
    const { comparison } = JSON.parse(second.stdout) as { comparison: BenchComparison };
    assert.equal(
      comparison.changes.map((change) => change.verdict),
      [verdict, verdict, verdict],
    );
  }
});

test('where nothing can be held against the earlier report, --fail-on-slowdown says so', async () => {
  const words = ['--vary', 'size=32x32', '--json'];
  const { stdout } = await run(...words);
  const { environment, ...report } = JSON.parse(scaled(stdout, 0.01)) as BenchReport;
  writeFileSync(join(folder, 'other.json'), JSON.stringify({ ...report, environment: { ...environment, cores: 999 } }));
  const { code, stderr } = await run(...words, '--against', 'other.json', '--fail-on-slowdown');
  assert.is(code, 0, stderr);
  assert.match(stderr, /--fail-on-slowdown found nothing/);
});

test('what is no report of an evaluation is refused in a sentence', async () => {
  for (const text of ['{}', '[1', 'null', '{"sets":[{}]}']) {
    writeFileSync(join(folder, 'no-report.json'), text);
    const { code, stderr } = await run('--quality', 'no-report.json');
    assert.is(code, 2, stderr);
    assert.match(stderr, /^flavr: BAD_ARGUMENT: --quality no-report\.json is no report of flavr evaluate --json\.$/m);
  }
});

/** A report with all its windows' times multiplied. */
function scaled(text: string, factor: number): string {
  const report = JSON.parse(text);
  for (const { points } of report.sweeps) for (const { result } of points) result.window.median *= factor;
  return JSON.stringify(report);
}

test('start-up is taken of processes of their own, and every engine is built or its absence explained', async () => {
  const { code, stdout, stderr } = await run('--start-up', '--json');
  assert.is(code, 0, stderr);
  const { startUp, engines, sweeps } = JSON.parse(stdout) as BenchReport;
  const { imported, opened, firstFrame, command } = startUp!;
  assert.ok(imported.median > 0 && imported.median < opened.median && opened.median < firstFrame.median);
  assert.ok(command!.median > 0);
  assert.equal(
    engines!.map(({ backend }) => backend),
    ['tensorrt', 'tensorrt-rtx'],
  );
  for (const build of engines!) assert.ok('problem' in build ? build.problem : build.buildMs > 0);
  assert.equal(sweeps, []);
});

test('int8 is measured with a calibration, along an axis, from a new process on, and of noise', async () => {
  const calibrated = await flavr(['calibrate', CUT, '-o', 'c.json', '--windows', '2'], { cwd: folder });
  assert.is(calibrated.code, 0, calibrated.stderr);
  const along = await run('--vary', 'precision', '--calibration', 'c.json', '--json');
  assert.is(along.code, 0, along.stderr);
  const [sweep] = (JSON.parse(along.stdout) as BenchReport).sweeps;
  assert.equal(
    measured(sweep!).map(({ value }) => value),
    ['fp32', 'fp16', 'int8'],
  );
  const started = await run('--start-up', '--precision', 'int8', '--calibration', 'c.json', '--json');
  assert.is(started.code, 0, started.stderr);
  assert.ok((JSON.parse(started.stdout) as BenchReport).startUp!.command!.median > 0);
  const noise = await run('--untrained', 'r18', '--precision', 'int8', '--vary', 'batch=1', '--json');
  assert.is(noise.code, 0, noise.stderr);
  assert.is((JSON.parse(noise.stdout) as BenchReport).sweeps[0]!.points[0]!.point.precision, 'int8');
});

test('a video is run from file to file, and its stages add up to no more work than there was', async () => {
  const { code, stdout, stderr } = await run('--video', CUT, '--json');
  assert.is(code, 0, stderr);
  const { video } = JSON.parse(stdout) as BenchReport;
  const { framesIn, framesOut, windows, timings, frame } = video!;
  assert.is(framesOut, (framesIn - 1) * 2 + 1);
  assert.is(timings.model.count, windows);
  assert.is(timings.encode.count, framesOut);
  assert.ok(timings.model.share > 0 && timings.model.share <= 1);
  assert.ok(frame.median > 0 && video!.framesPerSecondWithStart < video!.framesPerSecond);
});

test('time is set beside quality, of an evaluation that is run now or was run before', async () => {
  const now = await run('--quality', CUT, '--limit', '2', '--vary', 'lowering=2d,3d', '--json');
  assert.is(now.code, 0, now.stderr);
  const { quality } = JSON.parse(now.stdout) as BenchReport;
  const names = ['mini-2x fp32 winograd', 'mini-2x fp32 2d', 'mini-2x fp32 3d', 'blend', 'minterpolate'];
  assert.equal(
    quality!.points.map(({ name }) => name),
    names,
  );
  for (const { psnr, msPerNewFrame } of quality!.points) assert.ok(psnr > 20 && psnr < 60 && msPerNewFrame > 0);

  const evaluation = ['evaluate', '--dataset', 'video', '--data', CUT, '--backend', 'cpu', '--limit', '2', '--json'];
  const { stdout } = await flavr(evaluation, { cwd: folder });
  writeFileSync(join(folder, 'evaluation.json'), stdout);
  const before = await run('--quality', 'evaluation.json', '--json');
  assert.is(before.code, 0, before.stderr);
  const known = (JSON.parse(before.stdout) as BenchReport).quality!;
  assert.equal(
    known.points.map(({ name }) => name),
    [names[0], ...names.slice(3)],
  );
  assert.is(known.points[0]!.psnr, quality!.points[0]!.psnr);
  assert.equal(known.untimed, ['nearest']);
});

test('people get tables, with what the share of the peak is of', async () => {
  const { code, stdout, stderr } = await run('--vary', 'batch=1,2');
  assert.is(code, 0, stderr);
  assert.match(stdout, /^mini-2x on cpu; /);
  assert.match(stdout, /\nBy batch: 32x32, k = 2, fp32, winograd, \d+ threads?\n +batch +ms\/window/);
  assert.match(stdout, /\nOf peak: of the rate of large fp32 matrix products .* TFLOP\/s with/);
});

for (const [what, words, message] of [
  ['an axis that there is not', ['--vary', 'colour'], /--vary must be one of k, size/],
  ['a file that is no report', ['--against', join(packageRoot(), 'package.json')], /no report of flavr bench --json/],
  ['an earlier report that is not there', ['--against', 'gone.json'], /--against gone\.json cannot be read/],
  ['a check without an earlier report', ['--fail-on-slowdown'], /needs a report to compare with: --against FILE/],
  ['a model and none', ['--model', 'mini-2x', '--untrained', 'r18'], /give one of them/],
  ['one name for the page and the plots', ['--html', 'p', '--plots', './p'], /--html and --plots are one file/],
  ['the quality of noise', ['--untrained', 'r18', '--quality', CUT], /for a trained model/],
  ['a page for quality that is none', ['--quality', 'r.json'], /--quality r\.json is no report of flavr evaluate/],
] as const) {
  test(`wrong usage: ${what}`, async () => {
    writeFileSync(join(folder, 'r.json'), '{}');
    const { code, stderr } = await run(...words);
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
  });
}

test('a video that cannot be read is refused before anything is measured', async () => {
  const { code, stdout, stderr } = await run('--vary', 'batch=1', '--video', 'gone.mp4');
  assert.is(code, 1);
  assert.match(stderr, /VIDEO_UNREADABLE: .*gone\.mp4/);
  assert.is(stdout, '');
});

test('a page that exists is refused before anything is measured, and left as it was', async () => {
  writeFileSync(join(folder, 'kept.html'), 'mine');
  const { code, stderr } = await run('--html', 'kept.html', '--plots', 'new-plots');
  assert.is(code, 1);
  assert.match(stderr, /OUTPUT_EXISTS/);
  assert.is(readFileSync(join(folder, 'kept.html'), 'utf8'), 'mine');
  assert.not.ok(existsSync(join(folder, 'new-plots')));
});

test('the rate that windows are held against is that of real work', async () => {
  const rate = await measureReferenceRate(1);
  // From an old laptop's core to more than any core has.
  assert.ok(rate > 0.001 && rate < 10, String(rate));
});

test('the peak of memory that was given back meanwhile is still known, and later ones begin anew', () => {
  if (process.platform !== 'linux') {
    console.log('SKIPPED peak memory: only Linux tells it');
    return;
  }
  const before = new PeakMemoryWatch();
  let block: Uint8Array | undefined = new Uint8Array(256 * 2 ** 20).fill(1);
  const size = block.length;
  block = undefined;
  globalThis.gc!();
  const high = before.stop()!.ownBytes;
  const after = new PeakMemoryWatch().stop()!.ownBytes;
  assert.ok(high > size);
  assert.ok(high - after > size / 2, `${high} ${after}`);
});

test.run();
