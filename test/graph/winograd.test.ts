import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ModelConfig } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import type { Lowering } from '../../ts/model/graph-spec.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { rawInput } from '../support/goldens.js';
import { maxDifference, noiseFrames, rawFeeds, ruleModel, runOnnx } from './support.js';

// Wide enough that every layer behind the stem takes the algorithm along time, and the last stage that along the rows,
// of which it has no whole tiles.
const WIDTH = 16;
const [height, width] = [24, 40];

async function output(config: Partial<ModelConfig>, lowering: Lowering, nf = WIDTH): Promise<Float32Array> {
  const model = ruleModel(nf, config);
  const { bytes } = buildGraph(model, { width, height, lowering, form: 'raw' });
  const frames = rawInput(noiseFrames(model.config.inputs, height, width), width * height);
  const { interpolated } = await runOnnx(bytes, rawFeeds(frames, model.config, height, width));
  return interpolated!.data as Float32Array;
}

/** How many convolutions of all channels together the layers whose names begin so are made of. */
function convolutions(layer: string, lowering: Lowering, nf = WIDTH, batch = 1): number {
  const { nodes } = decodeModel(buildGraph(ruleModel(nf), { width, height, lowering, batch }).bytes);
  return nodes.filter(({ op, name, attributes }) => op === 'Conv' && !attributes.has('group') && name.startsWith(layer))
    .length;
}

const NETWORKS: Readonly<Record<string, Partial<ModelConfig>>> = {
  'the published network': {},
  'eight frames, two tiles with neighbours': { inputs: 8 },
  'six frames, which are no whole tiles': { inputs: 6 },
  'norms behind the gates': { batchNorm: true },
  'norms without gates': { batchNorm: true, gating: false },
  'time halved by strides': { temporal: 'stride' },
  'time halved by pooling': { temporal: 'pool' },
  'a 2-D encoder': { encoder: 'r2d' },
};
for (const [name, config] of Object.entries(NETWORKS)) {
  test(`${name}: the winograd lowering differs from the 3d one by rounding alone`, async () => {
    const exact = await output(config, '3d');
    const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    const difference = maxDifference(await output(config, 'winograd'), exact);
    assert.ok(difference <= 2e-5 * largest, `${difference} off, values up to ${largest}`);
  });
}

test('wide layers at every depth, and what stands between them, differ by rounding alone', async () => {
  const exact = await output({ batchNorm: true }, '3d', 32);
  const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  const difference = maxDifference(await output({ batchNorm: true }, 'winograd', 32), exact);
  assert.ok(difference <= 2e-5 * largest, `${difference} off, values up to ${largest}`);
});

test('along the rows of a wide layer, six convolutions 1x3 of six groups take the place of the six along time', () => {
  const { nodes } = decodeModel(buildGraph(ruleModel(WIDTH), { width, height, lowering: 'winograd' }).bytes);
  const products = nodes.filter(({ name }) => /^encoder\.layer4\.1\.conv1\.product\d$/.test(name));
  const form = [
    { kind: 'int', value: 6 },
    { kind: 'ints', value: [1, 3] },
  ];
  assert.equal(
    products.map(({ attributes }) => [attributes.get('group'), attributes.get('kernel_shape')]),
    Array(6).fill(form),
  );
});

// Every transposed convolution has outputs enough to be made phase by phase; the last one's go on so into the fusion.
const WIDE_DECODER = {
  widths: { stem: 16, stages: [16, 16, 16, 32], decoder: [32, 64, 64, 16, 64], fuse: 16 },
} satisfies Partial<ModelConfig>;
for (const [name, config] of Object.entries({
  'four frames': {},
  'eight frames and norms': { inputs: 8, batchNorm: true },
  'six frames, which have them made together': { inputs: 6 },
})) {
  test(`${name}: wide transposed convolutions differ by rounding alone`, async () => {
    const exact = await output({ ...WIDE_DECODER, ...config }, '3d');
    const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    const difference = maxDifference(await output({ ...WIDE_DECODER, ...config }, 'winograd'), exact);
    assert.ok(difference <= 2e-5 * largest, `${difference} off, values up to ${largest}`);
  });
}

test('phases of the last transposed convolution are put in order once, behind the fusion of the steps', () => {
  const { nodes } = decodeModel(
    buildGraph(ruleModel(WIDTH, WIDE_DECODER), { width, height, lowering: 'winograd' }).bytes,
  );
  const behind = nodes.slice(nodes.findIndex(({ name }) => name === 'decoder.4.upconv.0.phase0.products'));
  const transposed = behind.filter(({ op, name }) => op === 'Transpose' && !name.startsWith('output'));
  assert.equal(
    transposed.map(({ name }) => name),
    ['feature_fuse.phase0.in-turns0', 'feature_fuse.phase0.in-turns2'],
  );
});

test('a batch of several windows has its wide layers step by step', () => {
  assert.is(convolutions('encoder.layer4.1.conv1', 'winograd', WIDTH, 2), 6);
});

test('six convolutions take the place of ten, in a convolution and in a transposed one', () => {
  for (const layer of ['encoder.layer3.1.conv1', 'decoder.2.upconv.0']) {
    assert.is(convolutions(layer, '2d'), 10);
    assert.is(convolutions(layer, 'winograd'), 6);
  }
});

test('the head makes the three channels of one frame for four positions at once, and more frames position by position', () => {
  const kernelSize = (factor: number) => {
    const { initializers } = decodeModel(
      buildGraph(ruleModel(WIDTH, { factor }), { width, height, lowering: 'winograd' }).bytes,
    );
    return initializers.find(({ name }) => name.startsWith('outconv.1.weight'))!.shape.slice(2);
  };
  assert.equal(kernelSize(2), [8, 8]);
  assert.equal(kernelSize(8), [7, 7]);
});

test('a layer whose channels fill no block is convolved directly', () => {
  assert.is(convolutions('encoder.layer1.1.conv1', 'winograd', 8), 10);
  assert.is(convolutions('encoder.layer2.1.conv1', 'winograd', 8), 6);
});

test('in half precision, to which its sums would be rounded, it is the 2d lowering', () => {
  const graph = buildGraph(ruleModel(WIDTH), { width, height, lowering: 'winograd', precision: 'fp16' });
  assert.is(graph.spec.lowering, '2d');
  assert.equal(graph.bytes, buildGraph(ruleModel(WIDTH), graph.spec).bytes);
});

test.run();
