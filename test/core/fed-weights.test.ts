import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fedWeights } from '../../ts/backends/fed-weights.js';
import { BLOCKS, findBlock } from '../../ts/backends/find-block.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { rowsWeights } from '../../ts/model/graph/winograd-weights.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { spellOutBlocks } from '../graph/blocks-spelled-out.js';
import { frameFeeds, noiseFrames, ruleModel, runOnnx } from '../graph/support.js';
import { Random } from '../support/random.js';

const kernel = { shape: [32, 48, 3, 3, 3], slices: [0, 1, 2] };
const random = new Random(1);
const values = Float32Array.from({ length: 32 * 48 * 27 }, () => random.int(-1000, 1000) / 1000);

test('weights in blocks are those in order, each block of outputs and inputs column by column', () => {
  const [out, channels] = [36 * 32, 48];
  for (const block of BLOCKS) {
    const inBlocks = rowsWeights(kernel, values, block);
    const inOrder = rowsWeights(kernel, values);
    const expected = new Float32Array(inOrder.length);
    let to = 0;
    for (let o = 0; o < out; o += block) {
      for (let c = 0; c < channels; c += block) {
        for (let column = 0; column < 3; column++) {
          for (let inner = 0; inner < block; inner++) {
            for (let outer = 0; outer < block; outer++) {
              expected[to++] = inOrder[((o + outer) * channels + c + inner) * 3 + column]!;
            }
          }
        }
      }
    }
    assert.equal(inBlocks, expected);
  }
});

test('slices in another order give the weights of the kernel turned round in time', () => {
  const turned = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += 27) {
    for (const slice of [0, 1, 2]) {
      turned.set(values.subarray(at + 9 * slice, at + 9 * slice + 9), at + 9 * (2 - slice));
    }
  }
  assert.equal(rowsWeights({ ...kernel, slices: [2, 1, 0] }, values), rowsWeights(kernel, turned));
});

const ours = await findBlock(ort);
for (const block of BLOCKS) {
  test(`a graph in blocks of ${block} that is fed with its weights gives what one that holds them gives, bit for bit`, async () => {
    const model = ruleModel(32, { batchNorm: true });
    const spec = { width: 40, height: 24, lowering: 'winograd', form: 'unrounded', block } as const;
    const feeds = frameFeeds(noiseFrames(4, 24, 40), 24, 40);
    const run = async (graph: Uint8Array, fed: typeof feeds) => {
      if (block === ours) return (await runOnnx(graph, fed)).interpolated!.data;
      // Otherwise constants would be convolved with in another way than inputs.
      const options = { graphOptimizationLevel: 'disabled' } as const;
      return (await runOnnx(spellOutBlocks(graph, block), fed, options)).interpolated!.data;
    };
    const held = await run(buildGraph(model, spec).bytes, feeds);
    const graph = buildGraph(model, { ...spec, fed: true });
    assert.is(graph.fed.length, 11);
    const weights = graph.fed.map((each) => fedWeights(ort, each, each.weight(), block));
    assert.equal(await run(graph.bytes, Object.assign({}, feeds, ...weights)), held);
  });
}

test('a graph that is fed holds none of those weights, and tells how much they take', () => {
  const model = ruleModel(16);
  const spec = { width: 40, height: 24, lowering: 'winograd', block: 16 } as const;
  const [held, graph] = [buildGraph(model, spec), buildGraph(model, { ...spec, fed: true })];
  const bytes = graph.fed.reduce((sum, each) => sum + each.bytes, 0);
  // But for the lists of sizes that other operators take.
  const difference = graph.estimate.weightBytes + bytes - held.estimate.weightBytes;
  assert.ok(difference >= 0 && difference < 1000, `${difference} bytes`);
  assert.equal(graph.inputs, held.inputs);
  assert.is(held.fed.length, 0);
  const names = decodeModel(graph.bytes).inputs.map(({ name }) => name);
  assert.equal(names, [...graph.inputs, ...graph.fed.map(({ input }) => input)]);
});

test('where ONNX Runtime refuses convolutions in blocks, or computes them otherwise, all channels stand in order', async () => {
  const refuses = { create: () => Promise.reject(new Error('no such operator')) };
  const computesOtherwise = {
    create: async () => ({ run: async () => ({ y: { data: new Float32Array(64) } }), release: async () => {} }),
  };
  for (const InferenceSession of [refuses, computesOtherwise]) {
    assert.is(await findBlock({ ...ort, InferenceSession } as unknown as typeof ort), 1);
  }
});

test.run();
