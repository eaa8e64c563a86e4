import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ProbeReport, probe, probeBackend, rtxTargets, whyUnavailable } from '../../ts/engine/probe.js';
import { compileLibrary, inChild, RTX_FOLDER, temporaryFolder, testWith } from './support.js';

const withAddon = testWith(test, 'addon');
const folder = temporaryFolder();
const probeModule = JSON.stringify(resolve('.test-build/ts/engine/probe.js'));

const probeInChild = (env: Record<string, string>, options = {}) =>
  inChild(
    `import { probe } from ${probeModule}; console.log(JSON.stringify(await probe(${JSON.stringify(options)})))`,
    env,
  ) as ProbeReport;

const stubTensorRt = (name: string, version: number) =>
  compileLibrary(join(folder, name), `int getInferLibVersion(void) { return ${version}; }`);

// What getInferLibVersion reports, and what becomes of the library.
const VERSIONS: readonly [reported: number, verdict: RegExp | { family: string; version: string }][] = [
  [8601, /it is TensorRT 8\.6\.1; flavr works with TensorRT 10\.1 or newer, TensorRT 11 and TensorRT-RTX 1\.5/],
  [100001, /it is TensorRT 10\.0\.1/],
  [100100, { family: 'tensorrt-10', version: '10.1.0' }],
  [101501, { family: 'tensorrt-10', version: '10.15.1' }],
  [109900, { family: 'tensorrt-10', version: '10.99.0' }],
  [110000, { family: 'tensorrt-11', version: '11.0.0' }],
  [110402, { family: 'tensorrt-11', version: '11.4.2' }],
  [120000, /it is TensorRT 12\.0\.0/],
  [10300, /it is TensorRT-RTX 1\.3\.0/],
  [10500, { family: 'tensorrt-rtx', version: '1.5.0' }],
  [10701, { family: 'tensorrt-rtx', version: '1.7.1' }],
  [20000, /it is TensorRT-RTX 2\.0\.0/],
];

for (const [reported, verdict] of VERSIONS) {
  withAddon(`a library that reports ${reported} is ${verdict instanceof RegExp ? 'refused' : 'taken'}`, async () => {
    const path = stubTensorRt(`stub-${reported}.so`, reported);
    const report = await probe({ tensorrtPath: path });
    if (verdict instanceof RegExp) {
      assert.equal(report.libraries.length, 0);
      assert.match(report.rejected[0]!.problem, verdict);
    } else {
      const { family, version } = report.libraries[0]!;
      assert.equal({ family, version }, verdict);
    }
  });
}

withAddon('a file that is no library is rejected with the loader’s reason', async () => {
  const path = join(folder, 'text.so');
  writeFileSync(path, 'not a library');
  const report = await probe({ tensorrtPath: path });
  assert.is(report.rejected[0]!.name, path);
  assert.match(report.rejected[0]!.problem, /file too short|invalid ELF header/);
});

withAddon('a library that is not TensorRT is rejected', async () => {
  const path = compileLibrary(join(folder, 'other.so'), 'int other(void) { return 1; }');
  const report = await probe({ tensorrtPath: path });
  assert.match(report.rejected[0]!.problem, /no TensorRT library/);
});

withAddon('a path that does not exist is rejected by name', async () => {
  const report = await probe({ tensorrtPath: '/nowhere/libnvinfer.so.10' });
  assert.match(report.rejected[0]!.problem, /\/nowhere\/libnvinfer\.so\.10.*No such file/);
});

withAddon('a missing ONNX parser is told, with its name', async () => {
  const report = await probe({ tensorrtPath: stubTensorRt('alone.so', 101501) });
  assert.match(report.libraries[0]!.parserProblem!, /libnvonnxparser\.so\.10/);
});

withAddon('FLAVR_TENSORRT_PATH names a folder whose lib/ is searched, and nothing else is', () => {
  const lib = temporaryFolder();
  compileLibrary(join(lib, 'libnvinfer.so.10'), 'int getInferLibVersion(void) { return 101501; }');
  const report = probeInChild({ FLAVR_TENSORRT_PATH: lib });
  assert.is(report.libraries.length, 1);
  assert.is(report.libraries[0]!.place, 'FLAVR_TENSORRT_PATH');
  assert.is(report.libraries[0]!.path, join(lib, 'libnvinfer.so.10'));
});

withAddon('libraries on the loader’s path are found by their bare names', () => {
  const lib = temporaryFolder();
  compileLibrary(join(lib, 'libnvinfer.so.10'), 'int getInferLibVersion(void) { return 101501; }');
  const report = probeInChild({ LD_LIBRARY_PATH: lib, PATH: '/nowhere', FLAVR_TENSORRT_PATH: '' });
  assert.equal(
    report.libraries.map(({ place, version }) => [place, version]),
    [['loader path', '10.15.1']],
  );
});

withAddon('names that are not installed on the loader’s path are no finding', () => {
  const report = probeInChild({ PATH: '/nowhere', FLAVR_TENSORRT_PATH: '' });
  assert.equal([report.libraries, report.rejected], [[], []]);
});

testWith(
  test,
  'addon',
  'rtx',
)('TensorRT-RTX is found without a driver, and the driver is what is missing', async () => {
  const report = await probe({ tensorrtPath: RTX_FOLDER });
  const library = report.libraries[0]!;
  assert.equal([library.family, library.version], ['tensorrt-rtx', '1.7.1']);
  assert.is(library.parserProblem, undefined);
  if ('problem' in report.driver) assert.is(report.unavailable['tensorrt-rtx'], report.driver.problem);
});

test('on musl without a prebuild the reason says so and names the way out', () => {
  const report = probeInChild({ LIBC: 'musl', PREBUILDS_ONLY: '1' });
  assert.ok('problem' in report.addon);
  assert.match(report.addon.problem, /on linux-\w+ \(musl\).*libc=musl.*npm run build:native.*CPU backend/);
  assert.is(report.unavailable.tensorrt, report.addon.problem);
});

test('an addon that is no library gives a reason, not a crash', () => {
  const path = join(folder, 'broken.node');
  writeFileSync(path, 'not a library');
  const report = probeInChild({ FLAVR_ADDON: path });
  assert.ok('problem' in report.addon);
  assert.match(report.addon.problem, /broken\.node could not be loaded.*(file too short|invalid ELF header)/);
});

const device = (computeCapability: string) => ({ name: 'GPU', computeCapability, memoryBytes: 1 });
const machine = (changes: Partial<ProbeReport> = {}): Omit<ProbeReport, 'unavailable'> => ({
  platform: 'linux-x64 (glibc)',
  addon: { path: '/flavr.node' },
  driver: { cudaVersion: '13.0', devices: [device('8.9')] },
  libraries: [
    { family: 'tensorrt-10', version: '10.15.1', path: '/libnvinfer.so.10', place: 'loader path' },
    { family: 'tensorrt-rtx', version: '1.7.1', path: '/libtensorrt_rtx.so.1', place: 'Python packages' },
  ],
  rejected: [],
  ...changes,
});

test('a machine with everything can run both GPU backends', () => {
  assert.is(whyUnavailable('tensorrt', machine()), undefined);
  assert.is(whyUnavailable('tensorrt-rtx', machine()), undefined);
});

test('without a library the way to install it is named, and what was found instead', () => {
  const rejected = [{ name: '/old.so', place: 'loader path', problem: 'it is TensorRT 8.6.1' }] as const;
  const reason = whyUnavailable('tensorrt', machine({ libraries: [], rejected }));
  assert.match(
    reason!,
    /No usable TensorRT library was found \(\/old\.so: it is TensorRT 8\.6\.1\).*install TensorRT 10 or 11/,
  );
});

test('a driver without a GPU is told', () => {
  assert.match(whyUnavailable('tensorrt', machine({ driver: { cudaVersion: '13.0', devices: [] } }))!, /no GPU/);
});

test('a data-centre GPU runs TensorRT but not TensorRT-RTX', () => {
  const hopper = machine({ driver: { cudaVersion: '13.0', devices: [device('9.0')] } });
  assert.is(whyUnavailable('tensorrt', hopper), undefined);
  assert.match(whyUnavailable('tensorrt-rtx', hopper)!, /GPUs here have 9\.0.*backend tensorrt/);
});

test('a GPU that no portable RTX engine runs on is built for by name', () => {
  const targets = (computeCapability: string) => rtxTargets({ computeCapability });
  assert.equal(['7.5', '8.0', '12.1'].map(targets), [['7.5'], ['8.0'], ['12.1']]);
  assert.equal(['8.6', '8.9', '12.0'].map(targets), [[], [], []]);
  assert.equal(rtxTargets(undefined), []);
});

test('asking for one backend gives the same reason as the whole probe', async () => {
  const { unavailable } = await probe();
  for (const backend of ['tensorrt', 'tensorrt-rtx'] as const) {
    assert.is(await probeBackend(backend), unavailable[backend]);
  }
});

test.run();
