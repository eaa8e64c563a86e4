import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { calibrate } from '../../ts/evaluate/calibrate.js';
import { calibratedModel } from '../../ts/model/calibration.js';
import type { WeightsModel } from '../../ts/model/config.js';
import { buildGraph, quantisedActivations } from '../../ts/model/graph/build.js';
import { loadModel } from '../../ts/model/load.js';
import { ElementType } from '../../ts/model/onnx/proto.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { rawInput } from '../support/goldens.js';
import { rejects } from '../support/rejects.js';
import { frameFeeds, noiseFrames, rawFeeds, readVariants, ruleModel, runOnnx } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'flavr-int8-'));
const test = suite('int8 graphs');
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Calibrated on one window of these frames. */
async function calibrated(model: WeightsModel, frames: readonly Uint8Array[], height: number, width: number) {
  const window = frames.map((data) => ({ data, width, height }));
  return calibratedModel(model, await calibrate(model, [window], { threads: 2 }));
}

/** With ranges that nothing was measured for. */
const guessed = (model: WeightsModel): WeightsModel => {
  const ranges = new Map([...quantisedActivations(model).keys()].map((name) => [name, { min: -4, max: 4 }]));
  return { ...model, calibration: { model: model.name, hash: model.hash, windows: 1, ranges } };
};

/** How far the error lies below what the network adds to the mean colour, in dB. */
function signalToNoise(actual: Float32Array, expected: Float32Array): number {
  const mean = expected.reduce((sum, x) => sum + x, 0) / expected.length;
  let [signal, noise] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    signal += (expected[i]! - mean) ** 2;
    noise += (actual[i]! - expected[i]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

for (const [name, { model, height, width, frames, outputs }] of await readVariants()) {
  test(`${name}: eight bits stay near PyTorch's float32`, async () => {
    const spec = { width, height, precision: 'int8', form: 'raw' } as const;
    const { bytes } = buildGraph(await calibrated(model, frames, height, width), spec);
    const feeds = rawFeeds(rawInput(frames, width * height), model.config, height, width);
    const { interpolated } = await runOnnx(bytes, feeds);
    const db = signalToNoise(interpolated!.data as Float32Array, outputs.data);
    assert.ok(db > 25, `${db} dB`);
  });
}

test('ONNX Runtime folds every quantised convolution; the stem, the fusion, the gates and the head stay float32', async () => {
  const [width, height] = [32, 24];
  const frames = noiseFrames(4, height, width);
  const model = await calibrated(ruleModel(8), frames, height, width);
  const { bytes } = buildGraph(model, { width, height, precision: 'int8' });
  const path = join(folder, 'optimised.onnx');
  await runOnnx(bytes, frameFeeds(frames, height, width), { optimizedModelFilePath: path });
  const { nodes } = decodeModel(readFileSync(path));
  const quantised = decodeModel(bytes).nodes.filter(({ op, inputs }) => op === 'Conv' && inputs[1]!.endsWith('.float'));
  assert.is(nodes.filter(({ op }) => op === 'QLinearConv').length, quantised.length);
  // 16 convolutions of the blocks, 3 shortcuts and 5 decoder stages, each for four steps.
  assert.is(quantised.length, 4 * (16 + 3 + 5));
  // The stem's ten, the fusion's four, a gate's one for each block and decoder stage, and the head.
  assert.is(nodes.filter(({ op }) => op === 'Conv').length, 10 + 4 + 8 + 5 + 1);
});

test('weights have seven bits and a scale for each output channel, half a step from the float32 ones at most', async () => {
  const model = guessed(ruleModel(4));
  const spec = { width: 16, height: 16, lowering: '2d' } as const;
  const constants = (precision: 'fp32' | 'int8') =>
    new Map(decodeModel(buildGraph(model, { ...spec, precision }).bytes).initializers.map((each) => [each.name, each]));
  const [floats, bytes] = [constants('fp32'), constants('int8')];
  const layer = 'encoder.layer1.0.conv1.0.weight';
  const weight = bytes.get(`${layer}[0,1]`)!;
  assert.is(weight.type, ElementType.int8);
  assert.equal(weight.shape, [4, 8, 3, 3]);
  const values = new Int8Array(weight.data().slice().buffer);
  const scales = new Float32Array(bytes.get(`${layer}[0,1].scales`)!.data().slice().buffer);
  for (let out = 0; out < 4; out++) {
    const row = values.subarray(out * 72, (out + 1) * 72);
    assert.is(Math.max(...row.map(Math.abs)), 63);
    for (const slice of [0, 1]) {
      const expected = new Float32Array(floats.get(`${layer}[${slice}]`)!.data().slice().buffer).subarray(out * 36);
      for (let i = 0; i < 36; i++) {
        assert.ok(Math.abs(row[slice * 36 + i]! * scales[out]! - expected[i]!) <= 0.5001 * scales[out]!);
      }
    }
  }
});

test('zero is exact in every activation, and one that is always zero has a scale', async () => {
  const model = ruleModel(2);
  const [first, second] = [...quantisedActivations(model).keys()] as [string, string];
  const { calibration } = guessed(model);
  const ranges = new Map(calibration!.ranges).set(first, { min: -1, max: 3 }).set(second, { min: 0, max: 0 });
  const { bytes } = buildGraph(
    { ...model, calibration: { ...calibration!, ranges } },
    { width: 16, height: 16, precision: 'int8' },
  );
  const constants = new Map(decodeModel(bytes).initializers.map(({ name, data }) => [name, data().slice()]));
  const scale = (name: string) => new Float32Array(constants.get(`${name}.scale`)!.buffer)[0]!;
  assert.is(scale(first), Math.fround(4 / 255));
  assert.equal([...constants.get(`${first}.zero`)!], [64]);
  assert.is(scale(second), 1);
  assert.equal([...constants.get(`${second}.zero`)!], [0]);
});

test('every quantised activation is measured on values of the float32 graph', () => {
  const model = ruleModel(2, { upsampling: 'trilinear', fusion: 'add', temporal: 'pool' });
  const taps = [...quantisedActivations(model).values()].flat().map((value) => ({ value, sample: 5 }));
  const { bytes } = buildGraph(model, { width: 16, height: 16, lowering: '2d' }, [
    ...new Map(taps.map((t) => [t.value, t])).values(),
  ]);
  assert.ok(decodeModel(bytes).outputs.length > 20);
});

const REFUSED = [
  [
    'a model without calibration',
    async () => buildGraph(ruleModel(2), { width: 16, height: 16, precision: 'int8' }),
    /flavr calibrate/,
  ],
  [
    'the 3d lowering',
    async () => buildGraph(guessed(ruleModel(2)), { width: 16, height: 16, precision: 'int8', lowering: '3d' }),
    /lowering 2d; got 3d/,
  ],
  [
    'a graph of another maker',
    async () => {
      const model = await loadModel('test/fixtures/graph/exported-window.onnx');
      if (model.kind !== 'graph') return assert.unreachable();
      return buildGraph(model, { width: model.width, height: model.height, precision: 'int8' });
    },
    /in fp32; got batch 1 and int8/,
  ],
] as const;
for (const [what, attempt, message] of REFUSED) {
  test(`refused: ${what}`, () => rejects(attempt(), 'BAD_ARGUMENT', message));
}

test.run();
