import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Tensor } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { encodeModel } from '../../ts/model/onnx/writer.js';
import { goldenModel, maxDifference, rawFeeds, runOnnx } from './support.js';

/** The graph's name for each activation of the reference network. */
const VALUES: Readonly<Record<string, string>> = {
  stem: 'encoder.stem',
  layer1: 'encoder.layer1.1.relu',
  layer2: 'encoder.layer2.1.relu',
  layer3: 'encoder.layer3.1.relu',
  layer4: 'encoder.layer4.1.relu',
  decoder0: 'decoder.0.conv.1',
  decoder1: 'decoder.1.upconv.1',
  decoder2: 'decoder.2.upconv.1',
  decoder3: 'decoder.3.conv.1',
  decoder4: 'decoder.4.upconv.1',
  fuse: 'feature_fuse.conv',
};

/** One step of [C, T, H, W]. */
function stepOf({ shape, data }: Tensor, step: number): Float32Array {
  const [channels, time, height, width] = shape as [number, number, number, number];
  const area = height * width;
  const picked = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++) {
    const from = (c * time + step) * area;
    picked.set(data.subarray(from, from + area), c * area);
  }
  return picked;
}

for (const lowering of ['3d', '2d', 'winograd'] as const) {
  test(`tiny8-k2, ${lowering}: every layer's activation is the reference network's`, async () => {
    const { golden, model } = await goldenModel('tiny8-k2');
    const { width, height, taps } = golden;
    const graph = decodeModel(buildGraph(model, { width, height, lowering, form: 'raw' }).bytes);
    const tapped = encodeModel({ ...graph, outputs: [...graph.outputs, ...graph.values] });
    const values = await runOnnx(tapped, rawFeeds(golden.raw, model.config, height, width));

    assert.equal([...taps.keys()].sort(), Object.keys(VALUES).sort());
    for (const [tap, expected] of taps) {
      const name = VALUES[tap]!;
      const steps = lowering !== '3d' && expected.shape.length === 4 ? expected.shape[1]! : undefined;
      const pairs =
        steps === undefined
          ? [[name, expected.data] as const]
          : Array.from({ length: steps }, (_, t) => [`${name}.t${t}`, stepOf(expected, t)] as const);
      for (const [value, data] of pairs) {
        const difference = maxDifference(values[value]!.data as Float32Array, data);
        assert.ok(difference <= 2e-5, `${value} is ${difference} off`);
      }
    }
  });
}

test('a sample is of evenly spaced values, at a distance that lets every column come', async () => {
  const { golden, model } = await goldenModel('tiny8-k2');
  const { width, height } = golden;
  const { bytes } = buildGraph(model, { width, height, lowering: '2d', form: 'raw' }, [
    { value: 'encoder.stem.t1' },
    { value: 'encoder.stem.t1', sample: 1e9 },
    { value: 'encoder.stem.t2' },
    { value: 'encoder.stem.t2', sample: 100 },
  ]);
  const values = await runOnnx(bytes, rawFeeds(golden.raw, model.config, height, width));
  assert.equal(values['encoder.stem.t1.sample']!.data, values['encoder.stem.t1']!.data);
  const all = values['encoder.stem.t2']!.data as Float32Array;
  const sample = values['encoder.stem.t2.sample']!.data as Float32Array;
  const step = Math.ceil(all.length / sample.length);
  assert.equal(
    sample,
    all.filter((_, i) => i % step === 0),
  );
  assert.ok(sample.length > 80 && sample.length <= 100);
  assert.is(new Set(Array.from(sample, (_, i) => (i * step) % (width / 2))).size, Math.min(width / 2, sample.length));
});

test.run();
