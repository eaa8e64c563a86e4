import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { flavr, SAMPLE } from '../support/cli.js';
import { GOLDENS } from '../support/goldens.js';

const folder = mkdtempSync(join(tmpdir(), 'flavr-calibrate-'));
const test = suite('flavr calibrate');
test.after(() => rmSync(folder, { recursive: true, force: true }));

const model = ['--model', `${GOLDENS}/tiny8-k2.weights.safetensors`];
const file = join(folder, 'bunny.json');

test('writes a calibration that export and interpolate take', async () => {
  const { code, stdout, stderr } = await flavr(['calibrate', SAMPLE, ...model, '--windows', '2', '-o', file, '--json']);
  assert.is(code, 0, stderr);
  assert.equal(JSON.parse(stdout), {
    path: file,
    model: 'tiny8-k2.weights.safetensors',
    windows: 2,
    activations: Object.keys(JSON.parse(readFileSync(file, 'utf8')).ranges).length,
  });
  const int8 = [...model, '--precision', 'int8', '--calibration', file];

  const graph = join(folder, 'int8.onnx');
  const exported = await flavr(['export', ...int8, '--size', '32x16', '-o', graph]);
  assert.is(exported.code, 0, exported.stderr);
  assert.match(exported.stdout, 'int8, 2d');
  const { metadata, nodes } = decodeModel(readFileSync(graph));
  assert.is(metadata['flavr.precision'], 'int8');
  assert.ok(nodes.some(({ op }) => op === 'QuantizeLinear'));

  const video = join(folder, 'out.mp4');
  const words = [SAMPLE, ...int8, '--backend', 'cpu', '--duration', '0.16', '-o', video];
  const { code: made, stdout: said } = await flavr(['interpolate', ...words]);
  assert.is(made, 0);
  assert.match(said, '7 frames from 4');
});

const refused: readonly [string, string[], RegExp, number][] = [
  ['no output', ['calibrate', SAMPLE], /BAD_ARGUMENT: .*needs -o FILE/, 2],
  ['the video itself as the output', ['calibrate', 'X', '-o', 'X', '--overwrite'], /IN and --output are one file/, 2],
  ['a file that is no video', ['calibrate', 'package.json', '-o', 'X'], /VIDEO_UNREADABLE|VIDEO_UNSUPPORTED/, 1],
  ['a graph', ['calibrate', SAMPLE, '--model', 'test/fixtures/graph/exported-window.onnx', '-o', 'X'], /checkpoint/, 2],
  ['export in int8 without it', ['export', '--size', '16x16', '--precision', 'int8', '-o', 'X'], /flavr calibrate/, 2],
  [
    "export with other weights' one",
    ['export', '--size', '16x16', '--precision', 'int8', '--calibration', file, '-o', 'X'],
    /CALIBRATION_INVALID: .*other weights/,
    1,
  ],
  [
    'an engine in int8',
    ['build', '--size', '16x16', '--backend', 'tensorrt-rtx', '--precision', 'int8', '-o', 'X'],
    /int8 is for the CPU/,
    2,
  ],
];
for (const [what, words, message, expected] of refused) {
  test(`refused, with no file written: ${what}`, async () => {
    const path = join(folder, 'refused');
    const { code, stderr } = await flavr(words.map((word) => (word === 'X' ? path : word)));
    assert.match(stderr, message);
    assert.is(code, expected);
    assert.not(existsSync(path));
  });
}

test.run();
