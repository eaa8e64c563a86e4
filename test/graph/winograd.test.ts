import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BLOCKS as ALL_BLOCKS, findBlock } from '../../ts/backends/find-block.js';
import type { ModelConfig } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { readGraphModel } from '../../ts/model/graph/foreign.js';
import type { Lowering } from '../../ts/model/graph-spec.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { rawInput } from '../support/goldens.js';
import { spellOutBlocks } from './blocks-spelled-out.js';
import { maxDifference, noiseFrames, rawFeeds, ruleModel, runOnnx } from './support.js';

// Wide enough that every layer behind the stem takes the algorithm along time, and the last stage that along the rows,
// of which it has no whole tiles.
const WIDTH = 16;
const [height, width] = [24, 40];

// In ONNX's order, in that of this processor, and in those of others, whose operators are spelled out.
const ours = await findBlock(ort);
if (ours === 1) console.log('SKIPPED graphs in blocks as ONNX Runtime runs them: it convolves in no blocks here');
const BLOCKS = [1, ...ALL_BLOCKS];

async function output(
  config: Partial<ModelConfig>,
  lowering: Lowering,
  nf = WIDTH,
  block = 1,
  { spelledOut = false, rows = height } = {},
): Promise<Float32Array> {
  const model = ruleModel(nf, config);
  const { bytes } = buildGraph(model, { width, height: rows, lowering, form: 'raw', block });
  const frames = rawInput(noiseFrames(model.config.inputs, rows, width), width * rows);
  const runs = block === 1 || (block === ours && !spelledOut) ? bytes : spellOutBlocks(bytes, block);
  const { interpolated } = await runOnnx(runs, rawFeeds(frames, model.config, rows, width));
  return interpolated!.data as Float32Array;
}

async function differByRounding(config: Partial<ModelConfig>, nf = WIDTH, rows = height): Promise<void> {
  const exact = await output(config, '3d', nf, 1, { rows });
  const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  for (const block of BLOCKS) {
    const difference = maxDifference(await output(config, 'winograd', nf, block, { rows }), exact);
    assert.ok(difference <= 2e-5 * largest, `block ${block}: ${difference} off, values up to ${largest}`);
  }
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
  'trilinear upsampling': { upsampling: 'trilinear' },
  'skips that are added': { fusion: 'add' },
  'eight frames a gap': { factor: 8 },
};
for (const [name, config] of Object.entries(NETWORKS)) {
  test(`${name}: the winograd lowering differs from the 3d one by rounding alone`, () => differByRounding(config));
}

test('wide layers at every depth, and what stands between them, differ by rounding alone', () =>
  differByRounding({ batchNorm: true }, 32));

test('along the rows of a wide layer, one convolution 1x3 of thirty-six groups takes the place of the six along time', () => {
  const { nodes } = decodeModel(buildGraph(ruleModel(WIDTH), { width, height, lowering: 'winograd' }).bytes);
  const convolved = nodes.filter(({ op, name }) => op === 'Conv' && name.startsWith('encoder.layer4.1.conv1.'));
  assert.equal(
    convolved.map(({ attributes }) => [attributes.get('group'), attributes.get('kernel_shape')]),
    [
      [
        { kind: 'int', value: 36 },
        { kind: 'ints', value: [1, 3] },
      ],
    ],
  );
});

/** The transpositions within the encoder's second half and the first decoder stage, frames so high at full width. */
function putInOrder(rows: number): string[] {
  const spec = { width, height: rows, lowering: 'winograd', block: 16 } as const;
  const { nodes } = decodeModel(buildGraph(ruleModel(64), spec).bytes);
  const names = nodes.filter(({ op }) => op === 'Transpose').map(({ name }) => name);
  return names.filter((name) => /^(encoder\.layer4|decoder\.0)/.test(name));
}

test('wide layers hand their rows on in tiles, and put them in order only where they fill no whole ones', () => {
  // At an eighth of the height, eight rows are two tiles, and nine are not.
  assert.equal(putInOrder(64), ['decoder.0.relu.stack.t0.in-order']);
  assert.ok(putInOrder(72).includes('encoder.layer4.1.conv1.rows.in-order'));
});

for (const [name, config] of Object.entries({
  'one tile of rows in its smallest layers': {},
  'norms, and eight frames of rows in tiles': { inputs: 8, batchNorm: true },
})) {
  test(`${name}: wide layers differ by rounding alone`, () => differByRounding(config, 32, 32));
}

// Every transposed convolution has outputs enough to be made phase by phase; the last one's go on so into the fusion.
const WIDE_DECODER = {
  widths: { stem: 16, stages: [16, 16, 16, 32], decoder: [32, 64, 64, 16, 64], fuse: 16 },
} satisfies Partial<ModelConfig>;
for (const [name, config] of Object.entries({
  'four frames': {},
  'eight frames and norms': { inputs: 8, batchNorm: true },
  'six frames, which have them made together': { inputs: 6 },
})) {
  test(`${name}: wide transposed convolutions differ by rounding alone`, () =>
    differByRounding({ ...WIDE_DECODER, ...config }));
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

test('in blocks nothing but the new frames is put into another order', () => {
  const model = ruleModel(WIDTH, WIDE_DECODER);
  const { nodes } = decodeModel(buildGraph(model, { width, height, lowering: 'winograd', block: 16 }).bytes);
  assert.equal(
    nodes.filter(({ op }) => op.startsWith('Reorder')).map(({ name }) => name),
    ['outconv.conv.in-order'],
  );
});

test('in blocks gates, sums and activations are convolutions of each channel by itself', () => {
  const { nodes } = decodeModel(buildGraph(ruleModel(WIDTH), { width, height, lowering: 'winograd', block: 16 }).bytes);
  const gate = nodes.find(({ outputs }) => outputs[0] === 'encoder.layer3.1.relu.stack.t0')!;
  assert.is(gate.op, 'Conv');
  assert.equal(gate.attributes.get('activation'), { kind: 'string', value: 'Relu' });
  assert.is(gate.inputs.length, 4);
});

test('layers whose channels fill no blocks stay in order within a graph in blocks', () => differByRounding({}, 8));

test('what blocks are spelled out as is what ONNX Runtime makes of them', async () => {
  if (ours === 1) return;
  const config = { ...WIDE_DECODER, batchNorm: true };
  const [run, spelledOut] = [
    await output(config, 'winograd', 32, ours),
    await output(config, 'winograd', 32, ours, { spelledOut: true }),
  ];
  const largest = run.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  assert.ok(maxDifference(run, spelledOut) <= 1e-6 * largest);
});

test('what has no form in blocks is written in order, and a foreign graph as it is', () => {
  const model = ruleModel(WIDTH);
  const specs = [{ lowering: '2d' }, { lowering: '3d' }, { lowering: 'winograd', batch: 2 }] as const;
  for (const spec of specs) {
    const graph = buildGraph(model, { width, height, ...spec, block: 16, fed: true });
    assert.is(graph.spec.block, 1);
    assert.equal(graph.bytes, buildGraph(model, { width, height, ...spec }).bytes);
  }
  const foreign = readGraphModel(buildGraph(model, { width, height, form: 'raw' }).bytes, 'exported');
  const graph = buildGraph(foreign, { width, height, lowering: 'winograd', block: 16 });
  assert.equal(graph.bytes, buildGraph(foreign, { width, height, lowering: 'winograd' }).bytes);
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
