import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareReports } from '../../ts/bench/compare.js';
import { type BenchReport, parseReport } from '../../ts/bench/report.js';
import { BASE, pointResult, report, START_UP, sweep, timing, VIDEO } from './support.js';

const one = (median: number, spread: number, runs = 5) =>
  report({ sweeps: [sweep('k', [pointResult('2', BASE, median, spread, runs)])] });
const verdict = (before: BenchReport, after: BenchReport) =>
  compareReports(before, after).changes.map((change) => change.verdict);

test('a change counts only beyond 3 %, and beyond the spreads of both runs together', () => {
  assert.equal(verdict(one(100, 0.01), one(104, 0.01)), ['slower']);
  assert.equal(verdict(one(100, 0), one(102, 0)), ['same']);
  assert.equal(verdict(one(100, 0.08), one(110, 0.06)), ['same']);
  assert.equal(verdict(one(100, 0.04), one(110, 0.05)), ['slower']);
  assert.equal(verdict(one(104, 0.01), one(100, 0.01)), ['faster']);
});

test('a median of fewer than five runs may be off by 10 %', () => {
  assert.equal(verdict(one(100, 0, 3), one(109, 0)), ['same']);
  assert.equal(verdict(one(100, 0), one(111, 0, 3)), ['slower']);
});

test('start-up and video are compared too, each by its own median', () => {
  const before = report({ sweeps: [], startUp: START_UP, video: VIDEO });
  const after = report({ sweeps: [], startUp: START_UP, video: { ...VIDEO, frame: timing(150) } });
  assert.equal(
    compareReports(before, after).changes.map((change) => [change.name, change.verdict]),
    [
      ['start to first new frame', 'same'],
      ['whole command', 'same'],
      ['clip.mp4, per frame', 'slower'],
    ],
  );
});

test('points that differ in anything but time are named and not compared', () => {
  const other = report({ sweeps: [sweep('threads', [pointResult('1', { ...BASE, threads: 1 }, 200)])] });
  const { changes, onlyBefore, onlyAfter } = compareReports(one(100, 0), other);
  assert.equal([changes, onlyBefore, onlyAfter], [[], ['k 2'], ['threads 1']]);
});

test('on another machine, with another library or model, nothing is judged, and what differs is named', () => {
  const { environment } = report();
  for (const [change, words] of [
    [{ environment: { ...environment, processor: 'Fast 2' } }, 'processor: Slow & Steady 1, now Fast 2'],
    [{ environment: { ...environment, cores: 4 } }, 'cores: 2, now 4'],
    [{ environment: { ...environment, libraries: {} } }, 'onnxruntime-node: 1.30.0, now none'],
    [{ model: { ...report().model, hash: 'beef' } }, 'model: m f00d, now m beef'],
    [{ backend: 'tensorrt' }, 'backend: cpu, now tensorrt'],
  ] as const) {
    const { changes, differences } = compareReports(report(), report(change));
    assert.equal(differences, [words]);
    assert.ok(changes.length > 0 && changes.every((each) => each.verdict === 'not comparable'));
  }
});

test('the driver of a GPU that was not used, and a library that only draws, decide nothing', () => {
  const { environment } = report();
  const gpus = [{ name: 'G', computeCapability: '9.0', memoryGiB: 80 }];
  const devices = { gpus, driver: '570.1', cuda: '12.8', libraries: { 'tensorrt-10': '10.15.1' } };
  const libraries = { ...environment.libraries, sharp: '0.35.5' };
  const after = report({ devices, environment: { ...environment, libraries } });
  assert.equal(compareReports(report(), after).differences, []);
  const onGpu = (driver: string) => report({ backend: 'tensorrt', devices: { ...devices, driver } });
  assert.equal(compareReports(onGpu('570.1'), onGpu('570.2')).differences, ['driver: 570.1, now 570.2']);
});

test('another version of flavr is what is compared', () => {
  const { environment } = report();
  const { differences } = compareReports(
    report(),
    report({ environment: { ...environment, flavr: '2.0.0', commit: 'x' } }),
  );
  assert.equal(differences, []);
});

test('a report survives its file', () => {
  const full = report({ startUp: START_UP, video: VIDEO });
  const { changes, differences } = compareReports(full, parseReport(JSON.stringify(full), 'old.json'));
  assert.equal(differences, []);
  assert.is(changes.length, 5);
});

for (const [what, text, message] of [
  ['no JSON', '{"format": "flavr-', /old\.json is no report of flavr bench --json: /],
  ['another document', '{"version": 1}', /does not say that it has the format flavr-bench-2/],
  ['null', 'null', /does not say that it has the format/],
  ['an older form', '{"format": "flavr-bench-1"}', /an older flavr wrote it/],
  ['no sweeps', JSON.stringify({ ...report(), sweeps: undefined }), /parts of it are missing/],
  ['no machine', JSON.stringify({ ...report(), environment: { libraries: {} } }), /what was measured, and where/],
  ['a time that is none', JSON.stringify(one(-1, 0)), /a time in it is no time/],
] as const) {
  test(`refused as an earlier report: ${what}`, () => {
    assert.throws(
      () => parseReport(text, 'old.json'),
      (error: { code: string; message: string }) => error.code === 'BAD_ARGUMENT' && message.test(error.message),
    );
  });
}

test.run();
