import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FlavrError } from '../../ts/errors.js';
import type { GraphModel } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { readGraphModel } from '../../ts/model/graph/foreign.js';
import { type Attribute, ElementType, type GraphNode, type OnnxModel } from '../../ts/model/onnx/proto.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { encodeModel } from '../../ts/model/onnx/writer.js';
import { rawInput } from '../support/goldens.js';
import { frameFeeds, maxDifference, noiseFrames, rawFeeds, roundedOutputs, ruleModel, runOnnx } from './support.js';

const [height, width] = [16, 24];
const fourfold = ruleModel(2, { factor: 4 });
const own = buildGraph(fourfold, { width, height, form: 'raw' });

const node = (op: string, inputs: string[], outputs: string[], attributes: [string, Attribute][] = []): GraphNode => ({
  name: outputs[0]!,
  op,
  domain: '',
  inputs,
  outputs,
  attributes: new Map(attributes),
});
const info = (name: string, ...shape: (number | string)[]) => ({ name, type: ElementType.float32, shape });
const shapeOf = (name: string, ...shape: number[]) => ({
  name,
  type: ElementType.int64,
  shape: [shape.length],
  data: () => new Uint8Array(BigInt64Array.from(shape, BigInt).buffer),
});

/** Our own raw graph rewritten to another maker's layout. */
function rewritten(change: (model: OnnxModel) => Partial<OnnxModel>): Uint8Array {
  const model = decodeModel(own.bytes);
  return encodeModel({ ...model, ...change(model) });
}

const axis = (value: number): [string, Attribute] => ['axis', { kind: 'int', value }];

/** Four inputs [1, 3, H, W] in place of one. */
const fourInputs = (model: OnnxModel): Partial<OnnxModel> => ({
  inputs: [0, 1, 2, 3].map((t) => info(`img${t}`, 1, 3, height, width)),
  initializers: [...model.initializers, shapeOf('step-shape', 1, 3, 1, height, width)],
  nodes: [
    ...[0, 1, 2, 3].map((t) => node('Reshape', [`img${t}`, 'step-shape'], [`step${t}`])),
    node('Concat', ['step0', 'step1', 'step2', 'step3'], ['frames'], [axis(2)]),
    ...model.nodes,
  ],
});

/** Three outputs [1, 3, H, W] in place of one. */
const threeOutputs = (model: OnnxModel): Partial<OnnxModel> => ({
  outputs: [1, 2, 3].map((i) => info(`out${i}`, 1, 3, height, width)),
  initializers: [...model.initializers, shapeOf('flat', 1, 9, height, width)],
  nodes: [
    ...model.nodes,
    node('Reshape', ['interpolated', 'flat'], ['flat-out']),
    node('Split', ['flat-out'], ['out1', 'out2', 'out3'], [axis(1)]),
  ],
});

/** One output [1, 9, H, W]. */
const flatOutput = (model: OnnxModel): Partial<OnnxModel> => ({
  outputs: [info('flat-out', 1, 9, height, width)],
  initializers: [...model.initializers, shapeOf('flat', 1, 9, height, width)],
  nodes: [...model.nodes, node('Reshape', ['interpolated', 'flat'], ['flat-out'])],
});

const layouts: readonly [string, (model: OnnxModel) => Partial<OnnxModel>][] = [
  ['one window in, all frames in one output', () => ({})],
  ['one input per frame', fourInputs],
  ['one output per frame', threeOutputs],
  ['frames side by side in channels', flatOutput],
];

for (const [what, change] of layouts) {
  test(`${what}: framed, gives the bytes of our own graph, for k = 4 and k = 2`, async () => {
    const model = readGraphModel(rewritten(change), 'theirs.onnx');
    assert.equal([model.inputs, model.factor, model.height, model.width], [4, 4, height, width]);
    const frames = noiseFrames(4, height - 3, width - 1);
    for (const factor of [4, 2]) {
      const spec = { width: width - 1, height: height - 3, factor };
      const feeds = frameFeeds(frames, spec.height, spec.width);
      const [expected, got] = await Promise.all(
        [fourfold, model].map((each) => runOnnx(buildGraph(each, spec).bytes, feeds)),
      );
      assert.equal(got!.interpolated!.dims, [1, factor - 1, spec.height, spec.width, 3]);
      assert.ok(maxDifference(got!.interpolated!.data as Uint8Array, expected!.interpolated!.data as Uint8Array) <= 1);
      assert.ok(Math.abs(Number(got!.peak!.data[0]) - Number(expected!.peak!.data[0])) < 1e-5);
    }
  });
}

for (const file of ['exported-list', 'exported-window']) {
  test(`${file}: a graph exported from PyTorch runs framed as it runs alone`, async () => {
    const bytes = readFileSync(`test/fixtures/graph/${file}.onnx`);
    const model = readGraphModel(bytes, file);
    assert.equal([model.inputs, model.factor, model.height, model.width], [4, 4, 32, 48]);
    const frames = noiseFrames(4, 32, 48);
    const window = rawInput(frames, 32 * 48);

    const { inputs } = decodeModel(bytes);
    const alone: Record<string, ort.Tensor> = {};
    inputs.forEach(({ name, shape }, t) => {
      const planes = shape.length === 5 ? window : rawInput([frames[t]!], 32 * 48);
      alone[name] = new ort.Tensor('float32', planes, shape as number[]);
    });
    const outputs = Object.values(await runOnnx(bytes, alone)).flatMap(({ data }) => [...(data as Float32Array)]);
    const expected = { shape: [3, 3, 32, 48], data: Float32Array.from(outputs) };

    const raw = buildGraph(model, { width: 48, height: 32, form: 'raw' });
    const unit = await runOnnx(raw.bytes, rawFeeds(window, fourfold.config, 32, 48));
    assert.ok(maxDifference(unit.interpolated!.data as Float32Array, expected.data) < 1e-6);
    const framed = await runOnnx(buildGraph(model, { width: 48, height: 32 }).bytes, frameFeeds(frames, 32, 48));
    assert.ok(maxDifference(framed.interpolated!.data as Uint8Array, roundedOutputs(expected)) <= 1);
  });

  test(`${file}: the estimate is that of the same network built here`, () => {
    const model = readGraphModel(readFileSync(`test/fixtures/graph/${file}.onnx`), file);
    const spec = { width: 48, height: 32, form: 'raw' } as const;
    const theirs = buildGraph(model, spec).estimate;
    const ours = buildGraph(ruleModel(2, { factor: 4 }), spec).estimate;
    assert.ok(Math.abs(theirs.peakActivationBytes / ours.peakActivationBytes - 1) < 0.05);
    assert.ok(Math.abs(theirs.usefulFlops / ours.usefulFlops - 1) < 0.02);
    assert.ok(Math.abs(theirs.paperFlops / ours.paperFlops - 1) < 0.02);
    assert.is(theirs.largestTensor, ours.largestTensor);
  });
}

const refused: readonly [string, (model: OnnxModel) => Partial<OnnxModel>, RegExp][] = [
  [
    'a size that is not fixed',
    () => ({ inputs: [info('frames', 1, 3, 4, 'height', 'width')] }),
    /all sizes fixed; found frames \[1,3,4,height,width\]/,
  ],
  ['an odd number of frames', () => ({ inputs: [info('frames', 1, 3, 3, height, width)] }), /2C even/],
  [
    'a byte input',
    () => ({ inputs: [{ ...info('frames', 1, 3, 4, height, width), type: ElementType.uint8 }] }),
    /float input/,
  ],
  [
    'a size that is no multiple of 8',
    () => ({ inputs: [info('frames', 1, 3, 4, 20, 20)] }),
    /multiples of 8; they are 20 and 20/,
  ],
  [
    'an output of another size',
    () => ({ outputs: [info('interpolated', 1, 3, 3, 8, 8)] }),
    /expected k-1 float outputs \[1,3,16,24\]/,
  ],
  ['an old operator set', () => ({ opsets: new Map([['', 9]]) }), /operator set 9; export it with 11 or newer/],
  [
    'a value made twice',
    (model) => ({ nodes: [...model.nodes, node('Identity', ['frames'], ['interpolated'])] }),
    /makes the value interpolated twice/,
  ],
  [
    'an output that nothing makes',
    () => ({ outputs: [info('elsewhere', 1, 3, 3, height, width)] }),
    /nothing in it makes its output elsewhere/,
  ],
  [
    'a custom operator',
    (model) => ({ nodes: [...model.nodes, { ...node('Warp', ['frames'], ['w']), domain: 'acme' }] }),
    /acme\.Warp/,
  ],
  [
    'control flow',
    (model) => ({
      nodes: [
        ...model.nodes,
        node(
          'If',
          ['c'],
          ['d'],
          [
            [
              'then_branch',
              {
                kind: 'other',
                graph: true,
                encoded: Uint8Array.of(0x0a, 11, ...Buffer.from('then_branch'), 0x32, 0, 0xa0, 1, 5),
              },
            ],
          ],
        ),
      ],
    }),
    /control flow \(If\)/,
  ],
];
for (const [what, change, message] of refused) {
  test(`refused with GRAPH_INVALID: ${what}`, () => {
    assert.throws(
      () => readGraphModel(rewritten(change), 'theirs.onnx'),
      (error: FlavrError) => error.code === 'GRAPH_INVALID' && message.test(error.message),
    );
  });
}

test('refused with GRAPH_INVALID: a graph of our own with frames of bytes, which says what to give instead', () => {
  assert.throws(
    () => readGraphModel(buildGraph(fourfold, { width, height }).bytes, 'ours.onnx'),
    (error: FlavrError) => error.code === 'GRAPH_INVALID' && /flavr wrote it.*--raw/.test(error.message),
  );
});

const unfit: readonly [string, Parameters<typeof buildGraph>[1], RegExp][] = [
  ['another size', { width: 32, height: 32 }, /made for 24x16; frames of 32x32 need 32x32/],
  ['a batch', { width, height, batch: 2 }, /batch 1 and in fp32; got batch 2 and fp32/],
  ['half precision', { width, height, precision: 'fp16' }, /got batch 1 and fp16/],
];
for (const [what, spec, message] of unfit) {
  test(`refused with BAD_ARGUMENT: a foreign graph for ${what}`, () => {
    const model: GraphModel = readGraphModel(own.bytes, 'theirs.onnx');
    assert.throws(
      () => buildGraph(model, spec),
      (error: FlavrError) => error.code === 'BAD_ARGUMENT' && message.test(error.message),
    );
  });
}

test.run();
