import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FlavrError } from '../../ts/errors.js';
import type { Tensor } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import type { Lowering, Tap } from '../../ts/model/graph-spec.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { rawInput } from '../support/goldens.js';
import {
  type Feeds,
  frameFeeds,
  maxDifference,
  modelOf,
  noiseFrames,
  rawFeeds,
  roundedOutputs,
  ruleModel,
  runOnnx,
} from './support.js';

const LOWERINGS: readonly Lowering[] = ['3d', '2d'];
const narrow = ruleModel(4);
const eightfold = ruleModel(4, { factor: 8 });

/** Index that padding reads: reflected where the side is long enough for the extra, else the edge. */
function source(index: number, size: number, padded: number): number {
  if (index < size) return index;
  return padded - size < size ? 2 * (size - 1) - index : size - 1;
}

function padFrame(
  frame: Uint8Array,
  height: number,
  width: number,
): { data: Uint8Array; height: number; width: number } {
  const [tall, wide] = [Math.ceil(height / 8) * 8, Math.ceil(width / 8) * 8];
  const data = new Uint8Array(tall * wide * 3);
  for (let y = 0; y < tall; y++) {
    for (let x = 0; x < wide; x++) {
      const from = (source(y, height, tall) * width + source(x, width, wide)) * 3;
      data.set(frame.subarray(from, from + 3), (y * wide + x) * 3);
    }
  }
  return { data, height: tall, width: wide };
}

function cropOutputs(data: Float32Array, padded: readonly number[], height: number, width: number): Tensor {
  const [, count, , , wide] = padded as [number, number, number, number, number];
  const tall = padded[3]!;
  const cropped = new Float32Array(count * 3 * height * width);
  let at = 0;
  for (let plane = 0; plane < count * 3; plane++) {
    for (let y = 0; y < height; y++) {
      const start = (plane * tall + y) * wide;
      cropped.set(data.subarray(start, start + width), at);
      at += width;
    }
  }
  return { shape: [count, 3, height, width], data: cropped };
}

for (const [width, height] of [
  [53, 37],
  [5, 3],
  [4, 12],
  [1, 1],
] as const) {
  for (const lowering of LOWERINGS) {
    test(`${width}x${height}, ${lowering}: as a raw run on frames padded by hand, cropped`, async () => {
      const frames = noiseFrames(4, height, width);
      const padded = frames.map((frame) => padFrame(frame, height, width));
      const size = padded[0]!;
      const raw = buildGraph(narrow, { width: size.width, height: size.height, lowering, form: 'raw' });
      const window = rawInput(
        padded.map(({ data }) => data),
        size.width * size.height,
      );
      const { interpolated: unit } = await runOnnx(raw.bytes, rawFeeds(window, narrow.config, size.height, size.width));
      const expected = roundedOutputs(cropOutputs(unit!.data as Float32Array, unit!.dims, height, width));

      const framed = buildGraph(narrow, { width, height, lowering });
      const { interpolated } = await runOnnx(framed.bytes, frameFeeds(frames, height, width));
      assert.equal(interpolated!.dims, [1, 1, height, width, 3]);
      const bytes = interpolated!.data as Uint8Array;
      assert.ok(maxDifference(bytes, expected) <= 1);
      const floats = buildGraph(narrow, { width, height, lowering, form: 'unrounded' });
      const unrounded = await runOnnx(floats.bytes, frameFeeds(frames, height, width));
      assert.equal(Object.keys(unrounded), ['interpolated']);
      const exact = cropOutputs(unit!.data as Float32Array, unit!.dims, height, width);
      assert.equal(unrounded.interpolated!.dims, [1, ...exact.shape]);
      assert.ok(maxDifference(unrounded.interpolated!.data as Float32Array, exact.data) < 2e-5);
      const off = bytes.reduce((count, byte, i) => count + Number(byte !== expected[i]), 0);
      assert.ok(off <= bytes.length / 1000, `${off} of ${bytes.length} bytes differ`);
    });
  }
}

for (const lowering of LOWERINGS) {
  test(`batch 2 gives what two runs give, ${lowering}`, async () => {
    const [height, width] = [19, 24];
    const windows = [noiseFrames(4, height, width, 1), noiseFrames(4, height, width, 2)];
    const one = buildGraph(narrow, { width, height, lowering });
    const single = await Promise.all(windows.map((frames) => runOnnx(one.bytes, frameFeeds(frames, height, width))));
    const two = buildGraph(narrow, { width, height, lowering, batch: 2 });
    const both: Feeds = Object.fromEntries(
      two.inputs.map((name, t) => [
        name,
        new ort.Tensor('uint8', Buffer.concat(windows.map((frames) => frames[t]!)), [2, height, width, 3]),
      ]),
    );
    const { interpolated, peak } = await runOnnx(two.bytes, both);
    const expected = Buffer.concat(single.map(({ interpolated: frame }) => frame!.data as Uint8Array));
    assert.ok(maxDifference(interpolated!.data as Uint8Array, expected) <= 1);
    single.forEach(({ peak: alone }, i) => {
      assert.ok(Math.abs((peak!.data as Float32Array)[i]! - (alone!.data as Float32Array)[0]!) < 1e-6);
    });
  });

  test(`k = 2 and 4 of an 8x model are every 4th and 2nd frame of k = 8, ${lowering}`, async () => {
    const [height, width] = [16, 24];
    const feeds = rawFeeds(rawInput(noiseFrames(4, height, width), height * width), eightfold.config, height, width);
    const run = async (factor: number) => {
      const { bytes } = buildGraph(eightfold, { width, height, lowering, factor, form: 'raw' });
      return (await runOnnx(bytes, feeds)).interpolated!.data as Float32Array;
    };
    const frame = 3 * height * width;
    const all = await run(8);
    for (const factor of [2, 4]) {
      const some = await run(factor);
      assert.is(some.length, (factor - 1) * frame);
      for (let i = 0; i < factor - 1; i++) {
        const from = ((i + 1) * (8 / factor) - 1) * frame;
        assert.ok(maxDifference(some.subarray(i * frame, (i + 1) * frame), all.subarray(from, from + frame)) < 1e-6);
      }
    }
  });
}

test('the ring form takes slots of a multiple of 256 bytes and gives the same frames', async () => {
  const [height, width] = [19, 22];
  const frames = noiseFrames(4, height, width);
  const framed = buildGraph(narrow, { width, height });
  const ring = buildGraph(narrow, { width, height, form: 'ring' });
  assert.is(framed.frameStride, height * width * 3);
  assert.is(ring.frameStride, 1280);
  const slots = Object.fromEntries(
    frames.map((frame, t) => {
      const slot = new Uint8Array(ring.frameStride).fill(255);
      slot.set(frame);
      return [`frame${t}`, new ort.Tensor('uint8', slot, [1, ring.frameStride])];
    }),
  );
  const [a, b] = await Promise.all([
    runOnnx(framed.bytes, frameFeeds(frames, height, width)),
    runOnnx(ring.bytes, slots),
  ]);
  assert.equal(a.interpolated!.data, b.interpolated!.data);
});

test('peak shows a value that is not a number', async () => {
  const tensors = new Map(narrow.tensors);
  tensors.set('outconv.1.bias', { shape: [3], data: Float32Array.of(0, Number.NaN, 0) });
  const { bytes } = buildGraph(modelOf('broken', narrow.config, tensors), { width: 16, height: 16 });
  const { peak } = await runOnnx(bytes, frameFeeds(noiseFrames(4, 16, 16), 16, 16));
  assert.is((peak!.data as Float32Array)[0], Number.POSITIVE_INFINITY);
});

test('the metadata say what the graph was made for', () => {
  const { bytes } = buildGraph(eightfold, { width: 30, height: 20, factor: 4, form: 'ring', lowering: '2d', batch: 3 });
  assert.equal(decodeModel(bytes).metadata, {
    'flavr.model': 'rule-4',
    'flavr.hash': eightfold.hash,
    'flavr.model-factor': '8',
    'flavr.inputs': '4',
    'flavr.k': '4',
    'flavr.form': 'ring',
    'flavr.stride': '2048',
    'flavr.width': '30',
    'flavr.height': '20',
    'flavr.batch': '3',
    'flavr.precision': 'fp32',
    'flavr.lowering': '2d',
  });
});

test('bytes are only cast, in TensorRT they can be nothing else', () => {
  for (const form of ['framed', 'ring'] as const) {
    const { bytes, inputs } = buildGraph(narrow, { width: 17, height: 17, form });
    const { nodes } = decodeModel(bytes);
    for (const input of inputs) {
      assert.equal(
        nodes.filter((node) => node.inputs.includes(input)).map((node) => node.op),
        ['Cast'],
      );
    }
    assert.is(nodes.find((node) => node.outputs.includes('interpolated'))?.op, 'Cast');
  }
});

const refused: readonly [string, () => unknown, FlavrError['code'], RegExp][] = [
  ['width 0', () => buildGraph(narrow, { width: 0, height: 8 }), 'BAD_ARGUMENT', /width/],
  [
    'raw with a size that needs padding',
    () => buildGraph(narrow, { width: 9, height: 8, form: 'raw' }),
    'BAD_ARGUMENT',
    /multiples of 8; got 9x8/,
  ],
  [
    'k = 3 of an 8x model',
    () => buildGraph(eightfold, { width: 8, height: 8, factor: 3 }),
    'UNSUPPORTED_FACTOR',
    /k = 2, 4, 8; got 3/,
  ],
  [
    'a model without one of its tensors',
    () => {
      const tensors = new Map(narrow.tensors);
      tensors.delete('encoder.layer3.1.conv2.0.weight');
      return buildGraph(modelOf('torn', narrow.config, tensors), { width: 8, height: 8 });
    },
    'CHECKPOINT_INVALID',
    /torn must have a tensor encoder\.layer3\.1\.conv2\.0\.weight of shape \[16,16,3,3,3\]; found none/,
  ],
];
for (const [what, build, code, message] of refused) {
  test(`refused with ${code}: ${what}`, () => {
    assert.throws(build, (error: FlavrError) => error.code === code && message.test(error.message));
  });
}

test('values inside the graph become outputs too where they are asked for, whole or some channels of them', async () => {
  const [height, width] = [16, 24];
  const [factors, step] = ['encoder.layer1.0.fg.factors', 'decoder.4.upconv.1.t0'];
  const spec = { width, height, lowering: '2d', form: 'unrounded' } as const;
  const run = async (taps: readonly Tap[]) =>
    runOnnx(buildGraph(narrow, spec, taps).bytes, frameFeeds(noiseFrames(4, height, width), height, width));
  const plain = await run([]);
  const whole = await run([{ value: factors }, { value: step }]);
  assert.equal(Object.keys(whole).sort(), [factors, step, 'interpolated'].sort());
  assert.equal(whole[factors]!.dims, [1, 4, 1, 1]);
  assert.ok([...(whole[factors]!.data as Float32Array)].every((factor) => factor > 0 && factor < 1));
  assert.equal(whole.interpolated!.data, plain.interpolated!.data);
  const some = (await run([{ value: step, channels: [3, 1] }]))[`${step}.channels`]!;
  assert.equal(some.dims, [1, 2, height, width]);
  const channel = (of: ort.Tensor, n: number) => of.data.slice(n * height * width, (n + 1) * height * width);
  assert.equal([channel(some, 0), channel(some, 1)], [channel(whole[step]!, 3), channel(whole[step]!, 1)]);
  assert.throws(
    () => buildGraph(narrow, spec, [{ value: 'decoder.9' }]),
    ({ code, message }: FlavrError) => code === 'BAD_ARGUMENT' && message.includes('decoder.9'),
  );
});

test.run();
