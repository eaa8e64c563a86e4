import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BUNDLED_MODELS, DEFAULT_MODEL } from '../../ts/model/bundled.js';
import { flavr } from '../support/cli.js';
import { GOLDENS } from '../support/goldens.js';

const test = suite('flavr models and inspect');

test('models lists every bundled model, checked, and marks the default', async () => {
  const { code, stdout } = await flavr(['models']);
  assert.is(code, 0);
  assert.match(stdout, `${DEFAULT_MODEL} (default): `);
  for (const { name, sha256 } of BUNDLED_MODELS) {
    assert.match(stdout, name);
    assert.match(stdout, `SHA-256 ${sha256} (checked)`);
  }
});

test('models --json gives the same as one document', async () => {
  const { code, stdout } = await flavr(['models', '--json']);
  assert.is(code, 0);
  const { models } = JSON.parse(stdout) as { models: { name: string; default: boolean; bytes: number }[] };
  assert.equal(
    models.map(({ name }) => name),
    BUNDLED_MODELS.map(({ name }) => name),
  );
  assert.is(models.filter((model) => model.default).length, 1);
  assert.ok(models.every(({ bytes }) => bytes > 1_000_000));
});

test('inspect says what decided each field of a checkpoint', async () => {
  const { code, stdout } = await flavr(['inspect', `${GOLDENS}/tiny8-k2.zip.pth`, '--residual', 'blend']);
  assert.is(code, 0);
  assert.match(stdout, 'tiny8-k2.zip.pth: weights of a FLAVR network, r3d-18 (torch-zip)');
  assert.match(stdout, /^ {2}residual +option +blend$/m);
  assert.match(stdout, /^ {2}fusion +tensors +concat$/m);
});

test('inspect --json gives configuration, cost and factors as one document', async () => {
  const { code, stdout } = await flavr(['inspect', `${GOLDENS}/tiny8-k8.zip.pth`, '--json', '--size', '64x48']);
  assert.is(code, 0);
  const inspection = JSON.parse(stdout);
  assert.is(inspection.config.factor, 8);
  assert.equal([inspection.width, inspection.height], [64, 48]);
  assert.ok(inspection.estimate.usefulFlops < inspection.estimate.paperFlops);
});

test('a file that is no model fails with its code and leaves stdout to machines', async () => {
  const { code, stdout, stderr } = await flavr(['inspect', 'package.json']);
  assert.is(code, 1);
  assert.is(stdout, '');
  assert.match(stderr, /^flavr: CHECKPOINT_INVALID: package\.json is no valid checkpoint/);
});

test('a name that is no model fails and lists the bundled ones', async () => {
  const { code, stderr } = await flavr(['inspect', 'mini-3x']);
  assert.is(code, 1);
  assert.match(stderr, /^flavr: MODEL_NOT_FOUND: mini-3x .* Bundled models: mini-2x/);
});

test.run();
