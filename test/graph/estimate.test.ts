import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildGraph, estimateGraph } from '../../ts/model/graph/build.js';
import { estimateMemory } from '../../ts/model/graph/estimate.js';
import { ElementType } from '../../ts/model/onnx/proto.js';
import { ruleModel } from './support.js';

test('the published 2x network has 42.06 M parameters and 8.12 TFLOP per megapixel as papers count', () => {
  const published = ruleModel(64);
  const estimate = estimateGraph(published, { width: 512, height: 512 });
  assert.is((estimate.parameters / 1e6).toFixed(2), '42.06');
  assert.is((estimate.paperFlops / (512 * 512 * 1e6)).toFixed(2), '8.12');
  // Of twelve slices in time, two fall outside a window of four frames.
  const share = estimate.usefulFlops / estimate.paperFlops;
  assert.ok(Math.abs(share - 10 / 12) < 0.005, `useful share ${share}`);
  assert.is(estimate.largestTensor, 64 * 4 * 512 * 512);
  const half = estimateGraph(published, { width: 512, height: 512, precision: 'fp16' });
  assert.ok(half.weightBytes < 0.51 * estimate.weightBytes);
});

test('k = 8 costs about 1.5 % more than k = 2', () => {
  const eightfold = ruleModel(64, { factor: 8 });
  const [two, eight] = [2, 8].map((factor) => estimateGraph(eightfold, { width: 512, height: 512, factor }));
  const more = eight!.paperFlops / two!.paperFlops - 1;
  assert.ok(more > 0.012 && more < 0.018, `${more}`);
});

test('the 2d lowering has tensors of one step and counts the same operations', () => {
  const model = ruleModel(8);
  const [three, two] = (['3d', '2d'] as const).map((lowering) =>
    estimateGraph(model, { width: 128, height: 64, lowering }),
  );
  assert.is(two!.usefulFlops, three!.usefulFlops);
  assert.is(two!.paperFlops, three!.paperFlops);
  assert.ok(two!.largestTensor < three!.largestTensor);
});

test('the winograd lowering counts the same operations, doubles the weights of narrow layers and has four times those of wide ones', () => {
  const growth = (nf: number) => {
    const [direct, winograd] = (['2d', 'winograd'] as const).map((lowering) =>
      estimateGraph(ruleModel(nf), { width: 128, height: 64, lowering }),
    );
    assert.is(winograd!.usefulFlops, direct!.usefulFlops);
    assert.is(winograd!.paperFlops, direct!.paperFlops);
    return winograd!.weightBytes / direct!.weightBytes;
  };
  const [narrow, wide] = [growth(8), growth(64)];
  assert.ok(narrow > 1.8 && narrow <= 2, `weights of narrow layers grow ${narrow} times`);
  assert.ok(wide > 3.5 && wide <= 4, `weights of wide layers grow ${wide} times`);
});

test('the estimate alone is that of the built graph', () => {
  const spec = { width: 37, height: 19, precision: 'fp16', lowering: '2d' } as const;
  assert.equal(estimateGraph(ruleModel(2), spec), buildGraph(ruleModel(2), spec).estimate);
});

test('a value is alive from the node that makes it to the last that reads it; a reshape takes nothing', () => {
  const value = (name: string, size: number) => ({ name, type: ElementType.float32, shape: [size] });
  const memory = estimateMemory({
    inputs: [value('x', 10)],
    outputs: [{ name: 'd' }],
    values: [value('a', 100), value('b', 50), value('c', 100), value('d', 10)],
    initializers: [{ name: 'w', type: ElementType.float16, shape: [3, 4] }],
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['a'] },
      { op: 'Relu', inputs: ['a'], outputs: ['b'] },
      { op: 'Reshape', inputs: ['a', 's'], outputs: ['c'] },
      { op: 'Add', inputs: ['b', 'c'], outputs: ['d'] },
    ],
  });
  // At Relu: a and b (x is no longer read). At Add: a (as c), b and d.
  assert.equal(memory, { weightBytes: 24, peakActivationBytes: 4 * 160, largestTensor: 100 });
});

test.run();
