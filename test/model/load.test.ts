import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { BUNDLED_MODELS, bundledPath, DEFAULT_MODEL, defaultModel, openBundled } from '../../ts/model/bundled.js';
import { modelFactor, modelInputs, type WeightsModel } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { loadModel } from '../../ts/model/load.js';
import { GOLDENS, readGolden, ruleWeights } from '../support/goldens.js';
import { mmagicName } from '../support/mmagic.js';
import { safetensorsFile } from '../support/safetensors-file.js';
import { floats, legacyFile, tensor } from '../support/torch-files.js';

const test = suite('loadModel');
const loadWeights = async (nameOrPath: string) => (await loadModel(nameOrPath)) as WeightsModel;
const folder = mkdtempSync(join(tmpdir(), 'flavr-load-'));
test.after(() => rmSync(folder, { recursive: true }));

async function refusal(promise: Promise<unknown>): Promise<FlavrError> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, FlavrError, (error as Error).stack);
    return error as FlavrError;
  }
  throw new Error('it was accepted');
}

test('the three files of a model give equal configurations, tensors and hashes', async () => {
  const [reference, ...others] = await Promise.all(
    ['weights.safetensors', 'legacy.pth', 'zip.pth'].map((extension) =>
      loadWeights(`${GOLDENS}/tiny8-k8.${extension}`),
    ),
  );
  const golden = await readGolden('tiny8-k8');
  const weights = ruleWeights(golden.tensors);
  assert.is(reference!.tensors.size, weights.size);
  for (const other of others) {
    assert.equal(other.config, reference!.config);
    assert.is(other.hash, reference!.hash);
    for (const [name, { shape, data }] of weights) {
      assert.equal(other.tensors.get(name)!.shape, shape);
      assert.ok(Buffer.from(other.tensors.get(name)!.data.buffer).equals(Buffer.from(data.buffer)), name);
    }
  }
});

test("a model under MMagic's names gives the same tensors", async () => {
  const reference = await loadWeights(`${GOLDENS}/tiny8-k8.zip.pth`);
  const path = join(folder, 'mmagic.safetensors');
  writeFileSync(path, safetensorsFile(new Map([...reference.tensors].map(([name, t]) => [mmagicName(name), t]))));
  assert.is((await loadWeights(path)).hash, reference.hash);
});

test('another model has another hash', async () => {
  const hashes = await Promise.all(
    ['tiny8-k2', 'tiny8-k8'].map(async (name) => (await loadModel(`${GOLDENS}/${name}.zip.pth`)).hash),
  );
  assert.is.not(hashes[0], hashes[1]);
  assert.match(hashes[0]!, /^[0-9a-f]{64}$/);
});

test('the content decides the format, not the extension', async () => {
  const path = join(folder, 'weights.pth');
  copyFileSync(`${GOLDENS}/tiny8-k2.weights.safetensors`, path);
  const model = await loadWeights(path);
  assert.is(model.name, 'weights.pth');
  assert.is(model.config.factor, 2);
});

test('the default model is bundled, loads by name and blends', async () => {
  const model = await loadWeights(DEFAULT_MODEL);
  assert.is(model.name, 'mini-2x');
  assert.is(model.config.residual, 'blend');
  assert.is(model.decidedBy.residual, 'metadata');
  const parameters = [...model.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  const described = BUNDLED_MODELS.find(({ name }) => name === DEFAULT_MODEL)!;
  assert.is(parameters, described.parameters);
  assert.is(model.config.factor, described.factor);
});

test('the bundled model for a factor is that with the fewest passes, then the smallest', () => {
  const wanted = [undefined, 1, 2, 4, 8, 16, 32, 64, [2, 4], [4, 8]].map(defaultModel);
  const [two, four, eight] = ['mini-2x', 'mini-4x', 'mini-8x'];
  assert.equal(wanted, [two, two, two, four, eight, four, eight, eight, four, eight]);
});

test('a factor that no bundled model does is left to be refused by the default one', () => {
  assert.is(defaultModel(3), DEFAULT_MODEL);
  assert.is(defaultModel(0.5), DEFAULT_MODEL);
});

test('every bundled model has the stated checksum and a model card that names it', () => {
  for (const model of BUNDLED_MODELS) {
    const path = bundledPath(model);
    assert.is(createHash('sha256').update(readFileSync(path)).digest('hex'), model.sha256);
    assert.match(readFileSync(path.replace(/safetensors$/, 'md'), 'utf8'), model.sha256);
  }
});

test('a bundled model whose file was changed is refused with both checksums', async () => {
  const model = { ...BUNDLED_MODELS[0]!, sha256: '0'.repeat(64) };
  const error = await refusal(openBundled(model));
  assert.is(error.code, 'CHECKPOINT_INVALID');
  assert.match(error.message, BUNDLED_MODELS[0]!.sha256);
});

test('a bundled model that the package lacks says to reinstall', async () => {
  const error = await refusal(openBundled({ ...BUNDLED_MODELS[0]!, name: 'maxi-2x' }));
  assert.is(error.code, 'MODEL_NOT_FOUND');
  assert.match(error.message, 'reinstall flavr');
});

test('an unknown name lists the bundled models', async () => {
  const error = await refusal(loadModel('mini-3x'));
  assert.is(error.code, 'MODEL_NOT_FOUND');
  assert.match(error.message, 'mini-3x is neither a file nor a bundled model. Bundled models: mini-2x');
});

test('a graph that was exported elsewhere loads as a graph, by its content', async () => {
  const model = await loadWeights(`${GOLDENS}/tiny8-k8.zip.pth`);
  const path = join(folder, 'graph.bin');
  writeFileSync(path, buildGraph(model, { width: 32, height: 16, form: 'raw' }).bytes);
  const graph = await loadModel(path);
  assert.is(graph.kind, 'graph');
  assert.is(graph.name, 'graph.bin');
  assert.equal([modelInputs(graph), modelFactor(graph)], [4, 8]);
});

test('an option that is for weights is refused for a graph', async () => {
  const model = await loadWeights(`${GOLDENS}/tiny8-k2.zip.pth`);
  const path = join(folder, 'graph.onnx');
  writeFileSync(path, buildGraph(model, { width: 16, height: 16, form: 'raw' }).bytes);
  const error = await refusal(loadModel(path, { residual: 'blend' }));
  assert.is(error.code, 'BAD_ARGUMENT');
  assert.match(error.message, 'The option residual is for weights');
});

test('a damaged graph is GRAPH_INVALID', async () => {
  const path = join(folder, 'damaged.onnx');
  writeFileSync(path, Buffer.from('080a12ffffffffffffffff', 'hex'));
  assert.is((await refusal(loadModel(path))).code, 'GRAPH_INVALID');
});

test('a built engine is no model, and the message says how to name it', async () => {
  const path = join(folder, 'model.engine');
  writeFileSync(path, Buffer.concat([Buffer.from('FLAVR ENGINE 1\r\n\u001a\n', 'latin1'), Buffer.alloc(64)]));
  const error = await refusal(loadModel(path));
  assert.is(error.code, 'BAD_ARGUMENT');
  assert.match(error.message, 'name it as engine');
});

test('weights that are not finite are refused by name', async () => {
  const bytes = readFileSync(`${GOLDENS}/tiny8-k2.weights.safetensors`);
  bytes.writeFloatLE(Number.NaN, 8 + Number(bytes.readBigUInt64LE(0)));
  const path = join(folder, 'nan.safetensors');
  writeFileSync(path, bytes);
  const error = await refusal(loadModel(path));
  assert.is(error.code, 'CHECKPOINT_INVALID');
  assert.match(error.message, 'holds a value that is not finite');
});

test('a name that occurs with and without a prefix is refused', async () => {
  const storages = { s: { type: 'FloatStorage', data: floats(1) } };
  const one = tensor({ storage: 's', shape: [1] }, storages);
  const path = join(folder, 'twice.pth');
  writeFileSync(
    path,
    legacyFile(
      new Map([
        ['a', one],
        ['module.a', one],
      ]),
      storages,
    ),
  );
  assert.match((await refusal(loadModel(path))).message, 'it has the tensor a 2 times, as a and module.a');
});

test.run();
