import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FlavrError } from '../../ts/errors.js';
import type { Model } from '../../ts/model/config.js';
import { buildGraph, buildGraphInSlices, graphDigest } from '../../ts/model/graph/build.js';
import type { GraphSpec } from '../../ts/model/graph-spec.js';
import { fromHalf, toHalf } from '../../ts/model/onnx/half.js';
import { ElementType, type OnnxModel } from '../../ts/model/onnx/proto.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { encodeModel } from '../../ts/model/onnx/writer.js';
import { ruleModel } from './support.js';

const narrow = ruleModel(2);

/** A model with initializers made ready to compare: their data in place of the function that gives it. */
const comparable = (model: OnnxModel) => ({
  ...model,
  initializers: model.initializers.map(({ data, ...rest }) => ({
    ...rest,
    data: Buffer.from(data()).toString('base64'),
  })),
});

test('what is read is what was written', () => {
  for (const lowering of ['3d', '2d'] as const) {
    const { bytes } = buildGraph(narrow, { width: 40, height: 24, lowering, precision: 'fp16' });
    const model = decodeModel(bytes);
    assert.equal(comparable(decodeModel(encodeModel(model))), comparable(model));
    assert.equal(Buffer.compare(encodeModel(model), bytes), 0);
  }
  const { bytes } = buildGraph(ruleModel(16), { width: 40, height: 24, lowering: 'winograd', block: 16 });
  const slopes = decodeModel(bytes).nodes.flatMap(({ attributes }) => attributes.get('activation_params') ?? []);
  assert.ok(slopes.length > 0);
  for (const slope of slopes) assert.equal(slope, { kind: 'floats', value: [Math.fround(0.2)] });
});

test('the same graph has the same bytes', () => {
  const build = () => buildGraph(narrow, { width: 40, height: 24 }).bytes;
  assert.equal(Buffer.compare(build(), build()), 0);
});

test('the digest of a graph is that of its nodes, shapes and constants, whatever the weights', () => {
  const digest = (model: Model, spec: Partial<GraphSpec> = {}) =>
    graphDigest(model, { width: 40, height: 24, ...spec });
  // A bias may be as small as a constant is.
  const heavier = new Map(
    [...narrow.tensors].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.length > 64 ? data.map(Math.cos) : data },
    ]),
  );
  assert.is(digest({ ...narrow, tensors: heavier }), digest(narrow));
  const others = [
    digest({ ...narrow, config: { ...narrow.config, residual: narrow.config.residual === 'mean' ? 'blend' : 'mean' } }),
    digest(ruleModel(4)),
    ...[{ width: 48 }, { batch: 2 }, { precision: 'fp16' }, { lowering: '2d' }, { form: 'ring' }].map((spec) =>
      digest(narrow, spec as Partial<GraphSpec>),
    ),
  ];
  assert.is(new Set([digest(narrow), ...others]).size, 1 + others.length);
});

test('a graph declares nothing that it does not use', () => {
  const networks = [{}, { batchNorm: true }, { upsampling: 'trilinear' }, { temporal: 'stride' }] as const;
  const specs = [
    { lowering: '3d' },
    { lowering: '2d', form: 'ring' },
    { lowering: 'winograd', batch: 2 },
    { lowering: 'winograd', form: 'raw' },
    { lowering: 'winograd', block: 8, form: 'unrounded' },
    { lowering: 'winograd', block: 16, fed: true },
  ] as const;
  for (const network of networks) {
    for (const spec of specs) {
      const { bytes } = buildGraph(ruleModel(16, network), { width: 40, height: 24, ...spec });
      const { inputs, initializers, nodes, outputs } = decodeModel(bytes);
      const used = new Set([...nodes.flatMap((node) => node.inputs), ...outputs.map(({ name }) => name)]);
      const declared = [...[...inputs, ...initializers].map(({ name }) => name), ...nodes.flatMap((n) => n.outputs)];
      assert.equal(
        declared.filter((name) => !used.has(name)),
        [],
        JSON.stringify({ ...network, ...spec }),
      );
    }
  }
});

test('a graph that is made in slices has the same bytes, and the event loop turns meanwhile', async () => {
  const wide = ruleModel(48);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const sliced = await buildGraphInSlices(wide, { width: 40, height: 24, lowering: 'winograd' });
  clearInterval(timer);
  assert.ok(turns > 0, 'the event loop was blocked');
  const { bytes } = buildGraph(wide, { width: 40, height: 24, lowering: 'winograd' });
  assert.equal(Buffer.compare(sliced.bytes, bytes), 0);
});

test('writing takes no more memory than the file and its largest tensor', () => {
  const wide = ruleModel(48);
  globalThis.gc!();
  const before = process.memoryUsage().arrayBuffers;
  const { bytes } = buildGraph(wide, { width: 8, height: 8 });
  const taken = process.memoryUsage().arrayBuffers - before;
  assert.ok(bytes.length > 50e6);
  assert.ok(taken < 1.5 * bytes.length, `${taken} bytes for a file of ${bytes.length}`);
});

test('every half survives the way to float32 and back', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
    (half) => (half & 0x7c00) !== 0x7c00 || !(half & 0x3ff),
  );
  assert.equal(toHalf(fromHalf(all)), all);
});

test('float32 becomes the nearest half, ties to even', () => {
  const cases: readonly [number, number][] = [
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 ** -25, 0],
    [2 ** -25 + 2 ** -40, 1],
    [3 * 2 ** -25, 2],
    [2 ** -14 - 2 ** -26, 0x0400],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [1e30, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [-0, 0x8000],
    [-2, 0xc000],
  ];
  for (const [value, half] of cases) assert.is(toHalf(Float32Array.of(value))[0], half, String(value));
  assert.ok(Number.isNaN(fromHalf(toHalf(Float32Array.of(Number.NaN)))[0]));
});

const tensorModel = (tensor: readonly number[]): Uint8Array => {
  // ModelProto { graph: { initializer: tensor }, opset_import: { version: 17 } }
  const graph = [0x2a, tensor.length, ...tensor];
  return Uint8Array.of(0x3a, graph.length, ...graph, 0x42, 2, 0x10, 17);
};

test('constants are read from whichever field holds them', () => {
  const read = (tensor: readonly number[]) => {
    const [constant] = decodeModel(tensorModel(tensor)).initializers;
    return Buffer.from(constant!.data());
  };
  // dims 2, int64, int64_data [5, -1] packed.
  const minusOne = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  assert.equal(
    read([8, 2, 0x10, ElementType.int64, 0x3a, 11, 5, ...minusOne]),
    Buffer.from(BigInt64Array.of(5n, -1n).buffer),
  );
  // A scalar float in float_data.
  assert.equal(read([0x10, ElementType.float32, 0x22, 4, 0, 0, 0x80, 0x3f]), Buffer.from(Float32Array.of(1).buffer));
  // Half precision as bit patterns in int32_data.
  assert.equal(read([8, 1, 0x10, ElementType.float16, 0x2a, 2, 0x80, 0x78]), Buffer.from([0x00, 0x3c]));
});

const refused: readonly [string, Uint8Array, RegExp][] = [
  ['an empty file', new Uint8Array(), /no graph/],
  ['text', Buffer.from('This is not a model, but a text of some length.'), /damaged or another kind/],
  ['a file cut short', buildGraph(narrow, { width: 8, height: 8 }).bytes.subarray(0, 5000), /cut short/],
  [
    'a constant that claims more than is there',
    tensorModel([8, 0x80, 0x80, 0x80, 0x80, 0x40, 0x10, 1, 0x4a, 1, 0]),
    /takes 68719476736 bytes and has 1/,
  ],
  [
    'a constant in another file',
    tensorModel([0x10, 1, 0x42, 1, 0x77, 0x70, 1]),
    /constant w lies in another file; .*save_as_external_data=False/,
  ],
  ['a constant of strings', tensorModel([0x10, 8]), /element type 8/],
];
for (const [what, bytes, message] of refused) {
  test(`refused as no ONNX model: ${what}`, () => {
    assert.throws(
      () => decodeModel(bytes),
      (error: FlavrError) => error.code === 'GRAPH_INVALID' && message.test(error.message),
    );
  });
}

test.run();
