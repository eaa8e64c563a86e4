import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Diagnosis, formatDiagnosis } from '../../ts/doctor.js';
import { readEngineHeader } from '../../ts/engine/file.js';
import { flavr } from '../support/cli.js';
import { RTX_FOLDER, temporaryFolder, testWith } from './support.js';

const folder = temporaryFolder();
const output = join(folder, 'x.engine');
const RTX_BUILD = ['build', '--backend', 'tensorrt-rtx', '--tensorrt', RTX_FOLDER, '--size', '64x64'];

test('doctor --json prints one document with backends, findings and the cache', async () => {
  const run = await flavr(['doctor', '--json', '--cache-dir', folder]);
  assert.is(run.code, 0, run.stderr);
  const diagnosis: Diagnosis = JSON.parse(run.stdout);
  assert.equal(
    diagnosis.backends.map(({ name }) => name),
    ['tensorrt', 'tensorrt-rtx', 'cpu'],
  );
  assert.is(diagnosis.cache.folder, folder);
  assert.ok(diagnosis.findings.some(({ name, ok }) => name === 'onnxruntime-node' && ok));
});

test('doctor says for people what can run, what is missing, and where engines are kept', () => {
  const lines = formatDiagnosis({
    flavr: '1.2.3',
    node: '20.20.0',
    backends: [{ name: 'tensorrt', problem: 'No driver.' }, { name: 'cpu' }],
    findings: [
      { name: 'NVIDIA driver', ok: false, detail: 'Install one.' },
      { name: 'sharp', ok: true, detail: 'installed' },
    ],
    cache: { folder: '/cache', engines: 3, bytes: 3 * 2 ** 29, limitBytes: 10 * 2 ** 30 },
    probe: {
      platform: 'linux-x64 (glibc)',
      addon: { path: '/a' },
      driver: { problem: '' },
      libraries: [],
      rejected: [],
      unavailable: {},
    },
  });
  assert.equal(lines, [
    'flavr 1.2.3 on linux-x64 (glibc), Node 20.20.0',
    '',
    'missing  NVIDIA driver  Install one.',
    'ok       sharp          installed',
    '',
    'backend tensorrt: cannot run: No driver.',
    'backend cpu: can run',
    '',
    'engine cache: /cache, 3 engines, 1.5 GiB of at most 10.0 GiB',
  ]);
});

const withRtx = testWith(test, 'addon', 'rtx');

withRtx('build writes an engine file and says what it is', async () => {
  const run = await flavr([...RTX_BUILD, '--compute-capability', '8.9,12.0', '-o', output, '--json']);
  assert.is(run.code, 0, run.stderr);
  const { planBytes, ...header } = await readEngineHeader(output);
  assert.equal(JSON.parse(run.stdout), { output, planBytes, ...header });
  assert.equal(header.target, { kind: 'capabilities', computeCapabilities: ['12.0', '8.9'] });
});

withRtx('build keeps an existing file unless told otherwise', async () => {
  const path = join(folder, 'kept.engine');
  writeFileSync(path, 'mine');
  const refused = await flavr([...RTX_BUILD, '-o', path]);
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /OUTPUT_EXISTS.*overwrite/);
  assert.is((await flavr([...RTX_BUILD, '-o', path, '--overwrite'])).code, 0);
});

withRtx('build says that an output cannot be written before it builds, and leaves nothing where it fails', async () => {
  const nowhere = await flavr([...RTX_BUILD, '-o', join(folder, 'none', 'x.engine')]);
  assert.is(nowhere.code, 1);
  assert.match(nowhere.stderr, /^flavr: VIDEO_UNWRITABLE: .*its folder does not exist\.\n$/);
  const place = join(folder, 'empty');
  mkdirSync(place);
  const failed = await flavr([...RTX_BUILD, '-k', '3', '-o', join(place, 'x.engine')]);
  assert.match(failed.stderr, /^flavr: UNSUPPORTED_FACTOR/);
  assert.equal(readdirSync(place), []);
});

withRtx('build takes the bundled model for k, and a compute capability named twice once', async () => {
  const path = join(folder, 'four.engine');
  const run = await flavr([...RTX_BUILD, '-k', '4', '--compute-capability', '8.9,8.9', '-o', path]);
  assert.is(run.code, 0, run.stderr);
  const { model, factor, target } = await readEngineHeader(path);
  assert.equal([model.name, factor], ['mini-4x', 4]);
  assert.equal(target, { kind: 'capabilities', computeCapabilities: ['8.9'] });
});

for (const [what, words, message] of [
  ['a GPU to build on, for TensorRT-RTX', ['--device', '1'], /--device is for tensorrt/],
  ['no compute capability between commas', ['--compute-capability', '8.9,'], /got \[ '8.9', '' \]/],
] as const) {
  withRtx(`build refuses ${what}`, async () => {
    const path = join(folder, 'refused.engine');
    const run = await flavr([...RTX_BUILD, ...words, '-o', path]);
    assert.is(run.code, 2);
    assert.match(run.stderr, message);
    assert.not(existsSync(path));
  });
}

test('doctor tells a reason that was found once, not again for every backend', () => {
  const problem = 'The addon is not there. Build it.';
  const lines = formatDiagnosis({
    flavr: '1.2.3',
    node: '20.20.0',
    backends: [
      { name: 'tensorrt', problem },
      { name: 'tensorrt-rtx', problem },
    ],
    findings: [{ name: 'native addon', ok: false, detail: problem }],
    cache: { folder: '/cache', engines: 0, bytes: 0, limitBytes: 2 ** 30 },
    probe: {
      platform: 'linux-x64 (glibc)',
      addon: { problem },
      driver: { problem: '' },
      libraries: [],
      rejected: [],
      unavailable: { tensorrt: problem, 'tensorrt-rtx': problem },
    },
  });
  assert.is(lines.filter((line) => line.includes(problem)).length, 1);
  assert.ok(lines.includes('backend tensorrt: cannot run: native addon is missing, as said above'));
});

test('build without a size is a usage error that writes nothing', async () => {
  const path = join(folder, 'none.engine');
  const run = await flavr(['build', '--backend', 'tensorrt-rtx', '-o', path]);
  assert.is(run.code, 2);
  assert.match(run.stderr, /needs --size WxH/);
  assert.not(existsSync(path));
});

test.run();
