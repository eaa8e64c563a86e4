import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { flavr } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'flavr-export-'));
const test = suite('flavr export');
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('writes the framed graph of a bundled model', async () => {
  const path = join(folder, 'framed.onnx');
  const { code, stdout } = await flavr(['export', '--model', 'mini-2x', '--size', '50x38', '-o', path]);
  assert.is(code, 0);
  assert.match(stdout, 'framed.onnx: mini-2x, framed, 50x38, k = 2, fp32, 3d');
  const { inputs, outputs } = decodeModel(readFileSync(path));
  assert.equal(
    inputs.map(({ name, shape }) => [name, shape]),
    [0, 1, 2, 3].map((t) => [`frame${t}`, [1, 38, 50, 3]]),
  );
  assert.equal(
    outputs.map(({ name, shape }) => [name, shape]),
    [
      ['interpolated', [1, 1, 38, 50, 3]],
      ['peak', [1]],
    ],
  );
});

test('--raw, precision, lowering and batch are taken; --json tells what was written', async () => {
  const path = join(folder, 'raw.onnx');
  const words = ['--size', '48x32', '--raw', '--precision', 'fp16', '--lowering', '2d', '--batch', '2', '-o', path];
  const { code, stdout } = await flavr(['export', ...words, '--json']);
  assert.is(code, 0);
  const written = JSON.parse(stdout);
  assert.equal(written.spec, {
    width: 48,
    height: 32,
    factor: 2,
    batch: 2,
    precision: 'fp16',
    lowering: '2d',
    form: 'raw',
  });
  assert.equal(Object.keys(written), ['path', 'model', 'bytes', 'spec', 'inputs', 'frameStride', 'estimate']);
  assert.is(written.bytes, readFileSync(path).length);
  assert.equal(decodeModel(readFileSync(path)).inputs[0]!.shape, [2, 3, 4, 32, 48]);
});

test('an existing file is kept unless --overwrite, and nothing else is left behind', async () => {
  const path = join(folder, 'kept.onnx');
  writeFileSync(path, 'mine');
  const words = ['export', '--size', '16x16', '-o', path];
  const { code, stderr } = await flavr(words);
  assert.is(code, 1);
  assert.match(stderr, /^flavr: OUTPUT_EXISTS/);
  assert.is(readFileSync(path, 'utf8'), 'mine');
  assert.is((await flavr([...words, '--overwrite'])).code, 0);
  assert.ok(readFileSync(path).length > 1e6);
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.part')),
    [],
  );
});

test('where no model is named, it is the bundled one for k', async () => {
  const words = ['export', '--size', '16x16', '-k', '4', '-o', join(folder, 'four.onnx'), '--json'];
  const { code, stdout, stderr } = await flavr(words);
  assert.is(code, 0, stderr);
  const { model, spec } = JSON.parse(stdout);
  assert.equal([model, spec.factor], ['mini-4x', 4]);
});

test('the model itself is never the file to write', async () => {
  const path = join(folder, 'model.onnx');
  writeFileSync(path, readFileSync('test/fixtures/graph/exported-window.onnx'));
  const { code, stderr } = await flavr(['export', '--size', '16x16', '--model', path, '-o', path, '--overwrite']);
  assert.is(code, 2);
  assert.match(stderr, /--model and --output are one file/);
  assert.equal(readFileSync(path), readFileSync('test/fixtures/graph/exported-window.onnx'));
});

const refused: readonly [string, string[], RegExp, number][] = [
  ['k = 3 for a 2x model', ['--size', '16x16', '-k', '3'], /^flavr: UNSUPPORTED_FACTOR: .*k = 2; got 3/, 1],
  ['--raw with a size that needs padding', ['--size', '17x16', '--raw'], /^flavr: BAD_ARGUMENT: .*multiples of 8/, 2],
  ['no size', [], /^flavr: BAD_ARGUMENT: .*needs --size WxH/, 2],
  ['an unknown model', ['--size', '16x16', '--model', 'maxi'], /^flavr: MODEL_NOT_FOUND/, 1],
];
for (const [what, words, message, expected] of refused) {
  test(`refused, with no file written: ${what}`, async () => {
    const path = join(folder, 'refused.onnx');
    const { code, stderr } = await flavr(['export', ...words, '-o', path]);
    assert.is(code, expected);
    assert.match(stderr, message);
    assert.not(existsSync(path));
  });
}

test.run();
