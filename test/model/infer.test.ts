import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import type { ModelConfig } from '../../ts/model/config.js';
import { inferModel, type ModelOptions } from '../../ts/model/infer.js';
import { expectedTensors } from '../../ts/model/layout.js';
import { FULL_WIDTH_GOLDENS, readGolden, TINY_GOLDENS } from '../support/goldens.js';

const test = suite('inference of the configuration');

const PUBLISHED: ModelConfig = {
  encoder: 'r3d',
  blocks: [2, 2, 2, 2],
  widths: { stem: 64, stages: [64, 128, 256, 512], decoder: [256, 128, 64, 64, 64], fuse: 64 },
  inputs: 4,
  factor: 2,
  fusion: 'concat',
  upsampling: 'transpose',
  batchNorm: false,
  gating: true,
  temporal: 'none',
  residual: 'mean',
};

const shapesOf = (config: ModelConfig, biases = false) =>
  new Map(
    [...expectedTensors(config)]
      .filter(([, { optional }]) => biases || !optional)
      .map(([name, { shape }]) => [name, shape]),
  );

const infer = (shapes: ReadonlyMap<string, readonly number[]>, metadata = {}, options: ModelOptions = {}) =>
  inferModel({ name: 'case', shapes, metadata }, options);

function refusal(run: () => unknown, code = 'CHECKPOINT_INVALID'): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, FlavrError, (error as Error).stack);
    assert.is((error as FlavrError).code, code);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

const GOLDEN_FIELDS: Record<string, Partial<ModelConfig>> = {
  'r18-k2': {},
  'r18-k2-batchnorm': { batchNorm: true },
  'r18-k2-inputs2': { inputs: 2 },
  'r18-k2-inputs6': { inputs: 6 },
  'r18-k2-none': { fusion: 'none' },
  'r18-k2-upsample': { upsampling: 'trilinear' },
  'r18-k4-add': { factor: 4, fusion: 'add' },
  'r18-k8': { factor: 8 },
  'r34-k2': { blocks: [3, 4, 6, 3] },
};

for (const name of FULL_WIDTH_GOLDENS) {
  test(`the official tensors of ${name} give its configuration`, async () => {
    const { tensors, metadata } = await readGolden(name);
    const shapes = new Map(Object.entries(tensors).filter(([tensor]) => !tensor.endsWith('num_batches_tracked')));
    assert.equal(infer(shapes, metadata).config, { ...PUBLISHED, ...GOLDEN_FIELDS[name] });
  });
}

for (const name of TINY_GOLDENS) {
  test(`the official tensors of ${name} give its configuration`, async () => {
    const { tensors, metadata } = await readGolden(name);
    const { config } = infer(new Map(Object.entries(tensors)), metadata);
    assert.equal(config.widths, { stem: 8, stages: [8, 16, 32, 64], decoder: [32, 16, 8, 8, 8], fuse: 8 });
    assert.is(config.factor, name === 'tiny8-k2' ? 2 : 8);
  });
}

test('every variant is inferred from the tensors it has', () => {
  const variants: Partial<ModelConfig>[] = [
    { encoder: 'r2d' },
    { gating: false },
    { gating: false, batchNorm: true, upsampling: 'trilinear' },
    { blocks: [1, 5, 1, 2], inputs: 8, factor: 32 },
    { temporal: 'stride' },
    { temporal: 'pool', encoder: 'r2d', fusion: 'none' },
    { temporal: 'pool', upsampling: 'trilinear' },
    { residual: 'blend' },
    { widths: { stem: 5, stages: [7, 11, 13, 13], decoder: [17, 19, 23, 29, 31], fuse: 37 } },
    { fusion: 'none', widths: { stem: 5, stages: [7, 11, 13, 13], decoder: [17, 19, 23, 29, 31], fuse: 37 } },
    { fusion: 'add', batchNorm: true },
  ];
  for (const fields of variants) {
    const config = { ...PUBLISHED, ...fields };
    const metadata = { joinType: config.fusion, temporal: config.temporal, residual: config.residual };
    for (const biases of [false, true]) assert.equal(infer(shapesOf(config, biases), metadata).config, config);
  }
});

test('what decided each field is told: tensors, metadata, option or default', () => {
  const add = shapesOf({ ...PUBLISHED, fusion: 'add' });
  assert.equal(infer(add).decidedBy.fusion, 'default');
  assert.equal(infer(add).config.fusion, 'add');
  assert.equal(infer(add, {}, { fusion: 'none' }).decidedBy.fusion, 'option');
  assert.equal(infer(add, { joinType: 'none' }).decidedBy.fusion, 'metadata');
  assert.equal(infer(shapesOf(PUBLISHED)).decidedBy, {
    ...Object.fromEntries(Object.keys(PUBLISHED).map((field) => [field, 'tensors'])),
    residual: 'default',
  });
  assert.equal(infer(shapesOf(PUBLISHED), { residual: 'blend' }).decidedBy.residual, 'metadata');
});

test('a decoder that doubles time needs to be told how the encoder halves it', () => {
  const shapes = shapesOf({ ...PUBLISHED, temporal: 'pool' });
  assert.match(
    refusal(() => infer(shapes)),
    'state temporal: stride or pool',
  );
  assert.is(infer(shapes, {}, { temporal: 'pool' }).config.temporal, 'pool');
});

test('halving time twice needs a multiple of four inputs', () => {
  const shapes = shapesOf({ ...PUBLISHED, temporal: 'stride', inputs: 6 });
  assert.match(
    refusal(() => infer(shapes, { temporal: 'stride' })),
    'multiple of 4 inputs, not 6',
  );
});

test('an option that contradicts the file is a bad argument', () => {
  const shapes = shapesOf(PUBLISHED);
  assert.match(
    refusal(() => infer(shapes, {}, { fusion: 'none' }), 'BAD_ARGUMENT'),
    'contradicts case, which says concat',
  );
  assert.match(
    refusal(() => infer(shapes, { residual: 'mean' }, { residual: 'blend' }), 'BAD_ARGUMENT'),
    'says mean',
  );
});

test('metadata that contradict the tensors are refused', () => {
  for (const metadata of [
    { n_outputs: '3' },
    { nbr_frame: '6' },
    { joinType: 'add' },
    { upmode: 'upsample' },
    { batchnorm: 'True' },
    { residual: 'x' },
  ]) {
    assert.match(
      refusal(() => infer(shapesOf(PUBLISHED), metadata)),
      `its metadata says ${Object.keys(metadata)[0]}=`,
    );
  }
});

test('a missing, a superfluous and a misshapen tensor are refused by name and shape', () => {
  const without = shapesOf(PUBLISHED);
  without.delete('encoder.layer3.1.conv2.0.weight');
  assert.match(
    refusal(() => infer(without)),
    'the tensor encoder.layer3.1.conv2.0.weight of shape [256,256,3,3,3] is missing',
  );

  const extra = shapesOf(PUBLISHED).set('encoder.layer9.weight', [3, 4]);
  assert.match(
    refusal(() => infer(extra)),
    'the tensor encoder.layer9.weight of shape [3,4] is in no FLAVR network',
  );

  const misshapen = shapesOf(PUBLISHED).set('decoder.3.conv.0.weight', [64, 127, 3, 3, 3]);
  assert.match(
    refusal(() => infer(misshapen)),
    'decoder.3.conv.0.weight should have shape [64,128,3,3,3] but has [64,127,3,3,3]',
  );

  const bias = shapesOf(PUBLISHED, true).set('outconv.1.bias', [4]);
  assert.match(
    refusal(() => infer(bias)),
    'outconv.1.bias should have shape [3] but has [4]',
  );
});

test('tensors of another network are refused, naming the first one that is missing', () => {
  assert.match(
    refusal(() => infer(new Map([['conv1.weight', [64, 3, 7, 7]]]))),
    'no tensor encoder.stem.0.weight',
  );
  assert.match(
    refusal(() => infer(new Map())),
    'no tensor encoder.stem.0.weight',
  );
});

test('senseless dimensions are refused', () => {
  const cases: [string, readonly number[], RegExp][] = [
    ['encoder.stem.0.weight', [64, 3, 5, 7, 7], /3 \(r3d\) or 1 \(r2d\) frames, not 5/],
    ['encoder.stem.0.weight', [64], /5 dimensions/],
    ['feature_fuse.conv.0.weight', [64, 250, 1, 1], /even multiple of 64 input channels, not 250/],
    ['feature_fuse.conv.0.weight', [64, 64, 1, 1], /even multiple/],
    ['outconv.1.weight', [4, 64, 7, 7], /3\(k-1\) output channels, not 4/],
    ['outconv.1.weight', [0, 64, 7, 7], /3\(k-1\) output channels, not 0/],
    ['decoder.4.upconv.0.weight', [128, 0, 3, 4, 4], /feature_fuse/],
  ];
  for (const [name, shape, expected] of cases) {
    assert.match(
      refusal(() => infer(shapesOf(PUBLISHED).set(name, shape))),
      expected,
    );
  }
});

test('absurd sizes are refused from their shapes alone', () => {
  const wide = { ...PUBLISHED, widths: { ...PUBLISHED.widths, stages: [64, 128, 256, 100_000] as const } };
  assert.match(
    refusal(() => infer(shapesOf(wide))),
    'width 100000 makes no sense; 4096 is the most',
  );
  assert.match(
    refusal(() => infer(shapesOf({ ...PUBLISHED, inputs: 64 }))),
    'inputs 64 makes no sense',
  );
  assert.match(
    refusal(() => infer(shapesOf({ ...PUBLISHED, factor: 1000 }))),
    'outputs 999 makes no sense',
  );
  assert.match(
    refusal(() => infer(shapesOf({ ...PUBLISHED, blocks: [2, 2, 2, 65] }))),
    'blocks 65 makes no sense',
  );
  const heavy = { ...PUBLISHED, widths: { ...PUBLISHED.widths, stages: [64, 128, 4096, 4096] as const } };
  assert.match(
    refusal(() => infer(shapesOf(heavy))),
    'parameters; 268435456 is the most',
  );
});

test.run();
